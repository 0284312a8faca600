from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from router_core.calendar import LOCAL_TIME, day_of
from router_core.catalogue import SharingRule
from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, NO_DEADLINE, NO_LABEL, Exchanges, concatenate
from router_core.platform import Platform
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS
from router_core.vocabulary import TaskKind
from traces import generate
from traces.demand import expected_counts
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader
from traces.surges import parse_surge
from traces.tides import day_level, hour_means
from traces.timetable import granule_ns

PLAIN_DAY = date(2026, 3, 17)
MANY = 200_000


def all_of(platform: Platform, **choices: object) -> Exchanges:
    return concatenate(list(TraceGenerator(platform, **{"start": PLAIN_DAY, "seed": 1, **choices})))  # type: ignore[arg-type]


def rows_of(exchanges: Exchanges) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(exchanges, name).tolist() for name in FIELDS), strict=True))


def same(a: Exchanges, b: Exchanges) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in FIELDS)


def within_poisson(count: float, mean: float, sigmas: float = 5.0) -> bool:
    """Whether a Poisson count lies within so many standard deviations; the slack covers means near 0."""
    return abs(count - mean) <= sigmas * np.sqrt(mean) + sigmas


@pytest.fixture(scope="module")
def big(toy: Platform) -> TraceGenerator:
    return TraceGenerator(toy, start=PLAIN_DAY, seed=3, exchanges_per_day=MANY)


@pytest.fixture(scope="module")
def big_day(big: TraceGenerator) -> Exchanges:
    return concatenate(list(big))


def test_same_seed_same_bytes(toy: Platform, tmp_path: Path) -> None:
    def written(name: str, seed: int) -> bytes:
        generator = TraceGenerator(toy, start=PLAIN_DAY, seed=seed, surges=[parse_surge("emergency")])
        write_trace(tmp_path / name, generator)
        return (tmp_path / name).read_bytes()

    assert written("a", 5) == written("b", 5)
    assert written("c", 6) != written("a", 5)


def test_writing_reports_progress(
    toy: Platform, toy_generator: TraceGenerator, toy_day: Exchanges, tmp_path: Path
) -> None:
    seen: list[tuple[int, datetime]] = []
    rows = write_trace(tmp_path / "t", toy_generator, lambda rows, when: seen.append((rows, when)))
    assert rows == len(toy_day) == seen[-1][0]
    assert seen == sorted(seen)
    assert toy_generator.start <= seen[0][1] <= seen[-1][1] < toy_generator.end
    with TraceReader(tmp_path / "t") as reader:
        assert same(reader.read_all(toy), toy_day)
        assert reader.info == toy_generator.info
        assert reader.info.end == datetime(2026, 3, 18, tzinfo=LOCAL_TIME)


def test_rows_are_ordered_and_permitted(toy: Platform, big: TraceGenerator, big_day: Exchanges) -> None:
    assert (np.diff(big_day.submitted_ns) >= 0).all()
    assert big_day.submitted_ns[0] >= 0
    assert big_day.submitted_ns[-1] < big.info.span_ns == DAY_NS
    verdict = toy.catalogue.verdict(toy.network, big_day.source, big_day.target, big_day.resource)
    assert (verdict == SharingRule.PERMITTED).all()


def test_rows_say_what_their_type_says(toy: Platform, big_day: Exchanges) -> None:
    for index, kind in enumerate(toy.demand.types):
        rows = big_day[big_day.demand_type == index]
        assert set(rows.mode.tolist()) == {kind.mode}
        assert set(rows.kind.tolist()) == {kind.kind}
        assert set(rows.priority.tolist()) == {kind.priority}
        assert set(rows.surge.tolist()) == {NO_LABEL}
        due = rows.submitted_ns + kind.deadline_ns if kind.deadline_ns else np.full(len(rows), NO_DEADLINE)
        assert np.array_equal(rows.deadline_ns, due)


def test_counts_are_poisson(big: TraceGenerator, big_day: Exchanges) -> None:
    expected = expected_counts(big.workload, PLAIN_DAY)
    hour = big_day.submitted_ns // HOUR_NS
    counts = np.stack([np.bincount(hour[big_day.demand_type == kind], minlength=24) for kind in range(len(expected))])
    for found, mean in zip(counts.ravel().tolist(), expected.ravel().tolist(), strict=True):
        assert within_poisson(found, mean)
    for kind, mean in zip(counts.sum(axis=1).tolist(), expected.sum(axis=1).tolist(), strict=True):
        assert within_poisson(kind, mean)
    # Not closer than chance either: over all cells the squared deviations have the variance of a Poisson law.
    large = expected > 20
    score = ((counts - expected)[large] ** 2 / expected[large]).sum()
    assert abs(score - large.sum()) < 5 * np.sqrt(2 * large.sum())


def test_hours_follow_the_tide(toy: Platform, big: TraceGenerator) -> None:
    tides, expected = hour_means(toy.demand, PLAIN_DAY, MANY), expected_counts(big.workload, PLAIN_DAY)
    for kind, tide, mean in zip(toy.demand.types, tides, expected, strict=True):
        assert np.isclose(tide.sum(), MANY * kind.share)
        assert (mean[np.array(kind.hours) == 0] == 0).all()
        if kind.kind == TaskKind.EXCHANGE:
            assert np.allclose(mean, tide)


def test_flows_get_their_shares(big: TraceGenerator, big_day: Exchanges) -> None:
    flows = big.workload.flows
    for kind, item in enumerate(big.workload.platform.demand.types):
        rows = flows.rows(kind)
        found = big_day[big_day.demand_type == kind]
        keys = list(zip(found.source.tolist(), found.target.tolist(), found.resource.tolist(), strict=True))
        place = {
            key: index
            for index, key in enumerate(
                zip(
                    flows.source[rows].tolist(), flows.target[rows].tolist(), flows.resource[rows].tolist(), strict=True
                )
            )
        }
        counts = np.bincount([place[key] for key in keys], minlength=len(place))
        for count, mean in zip(counts.tolist(), (MANY * item.share * flows.weight[rows]).tolist(), strict=True):
            assert within_poisson(count, mean)


@pytest.mark.parametrize("when", [PLAIN_DAY, date(2026, 3, 15)])
def test_synchronisation_runs_on_schedule(toy: Platform, when: date) -> None:
    generator = TraceGenerator(toy, start=when, seed=2, exchanges_per_day=20_000)
    exchanges = concatenate(list(generator))
    flows, working = generator.workload.flows, day_of(when).working
    for index, kind in enumerate(toy.demand.types):
        if kind.kind != TaskKind.SYNC:
            continue
        rows = flows.rows(index)
        phase = (flows.phase_ns if working else flows.off_phase_ns)[rows].tolist()
        ends = zip(flows.source[rows].tolist(), flows.target[rows].tolist(), flows.resource[rows].tolist(), strict=True)
        planned = dict(zip(ends, phase, strict=True))
        found = exchanges[exchanges.demand_type == index]
        hours = np.array(kind.hours if working else kind.off_hours)
        assert len(found) > 0
        for time, source, target, resource in zip(
            found.submitted_ns.tolist(),
            found.source.tolist(),
            found.target.tolist(),
            found.resource.tolist(),
            strict=True,
        ):
            late = (time - planned[source, target, resource]) % kind.period_ns
            assert late < granule_ns(kind.period_ns) <= MINUTE_NS
            assert hours[time // HOUR_NS] > 0


def test_sizes_come_from_the_tables(big: TraceGenerator, big_day: Exchanges) -> None:
    for kind, table in enumerate(big.workload.sizes):
        sizes = big_day.payload_bytes[big_day.demand_type == kind]
        assert np.isin(sizes, table).all()
        bound = 5 * table.std() / np.sqrt(len(sizes))
        assert abs(sizes.mean() - table.mean()) < bound
        below = (sizes <= np.median(table)).mean()
        assert abs(below - 0.5) < 5 * 0.5 / np.sqrt(len(sizes))


@pytest.mark.parametrize(
    "when",
    [
        date(2026, 3, 15),  # Sunday
        date(2026, 10, 2),  # National Day
        date(2026, 10, 10),  # a worked Saturday
        date(2026, 3, 31),  # month's end
        date(2026, 3, 3),  # reporting day
        date(2026, 1, 30),  # month's end and yearly reports
        date(2026, 7, 29),  # half-yearly reports
        date(2031, 3, 18),  # beyond the official timetable
    ],
)
def test_calendar_sets_the_level(toy: Platform, when: date) -> None:
    generator = TraceGenerator(toy, start=when, seed=4, exchanges_per_day=50_000)
    exchanges = concatenate(list(generator))
    counts = np.bincount(exchanges.demand_type, minlength=len(toy.demand.types))
    day = day_of(when)
    for kind, count in zip(toy.demand.types, counts.tolist(), strict=True):
        level = (
            kind.holiday if day.kind.name == "HOLIDAY"
            else kind.weekend if day.kind.name == "WEEKEND"
            else (kind.month_end if day.month_end else 1)
            * (kind.reporting if day.reporting else 1)
            * (kind.yearly if day.yearly else 1)
            * (kind.half_yearly if day.half_yearly else 1)
        )  # fmt: skip
        assert np.isclose(level, day_level(kind, day))
        assert within_poisson(count, 50_000 * kind.share * level)
    assert generator.info.provenance["provisional_years"] == ([when.year] if day.provisional else [])


@pytest.fixture(scope="module")
def two_days(toy: Platform) -> Exchanges:
    return all_of(toy, span=timedelta(days=2, hours=2))


@given(st.integers(0, 23 * 60), st.integers(1, 26 * 60))
@settings(max_examples=15)
def test_a_shorter_trace_is_the_cut_of_a_longer_one(
    toy: Platform, two_days: Exchanges, begin: int, length: int
) -> None:
    start, span = datetime(2026, 3, 17) + timedelta(minutes=begin), timedelta(minutes=length)
    part = all_of(toy, start=start, span=span)
    whole = two_days
    low, high = begin * MINUTE_NS, (begin + length) * MINUTE_NS
    cut = whole[(whole.submitted_ns >= low) & (whole.submitted_ns < high)]
    cut = replace(
        cut,
        submitted_ns=cut.submitted_ns - low,
        deadline_ns=np.where(cut.deadline_ns == NO_DEADLINE, NO_DEADLINE, cut.deadline_ns - low),
    )
    assert same(part, cut)


def test_a_surge_leaves_the_rest_alone(toy: Platform, toy_day: Exchanges) -> None:
    surges = [parse_surge(text) for text in ("deadline", "enrolment", "emergency", "correction")]
    both = all_of(toy, surges=surges)
    assert rows_of(both[both.surge == NO_LABEL]) == rows_of(toy_day)
    one = all_of(toy, surges=surges[:1])
    assert rows_of(both[both.surge == 0]) == rows_of(one[one.surge == 0])
    assert set(both.surge.tolist()) > {NO_LABEL}


def test_load_multiplies_counts(toy: Platform) -> None:
    assert within_poisson(len(all_of(toy, load=3.0, exchanges_per_day=10_000)), 30_000)


@given(hnp.arrays(np.int64, st.integers(0, 300), elements=st.integers(0, 20) | st.integers(0, HOUR_NS - 1)))
def test_exchanges_at_one_instant_keep_their_order(offset_ns: NDArray[np.int64]) -> None:
    """Both ways to sort an hour give the stable order: ties stay as drawn, on every machine."""
    with pytest.MonkeyPatch.context() as patch:
        fast = generate.order_of(offset_ns)
        patch.setattr(generate, "ROW_MASK", -1)
        slow = generate.order_of(offset_ns)
    stable = sorted(range(len(offset_ns)), key=lambda row: (int(offset_ns[row]), row))
    assert fast.tolist() == slow.tolist() == stable


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"span": timedelta(0)}, "span: must be above 0"),
        ({"span": timedelta(days=-1)}, "span: must be above 0"),
        ({"span": timedelta(days=40_000)}, "span: must be above 0"),
        ({"seed": -1}, "seed: must not be negative"),
        ({"start": datetime(2400, 1, 1)}, "start: must lie in the years"),
        ({"load": 0.0}, "load: must be above 0"),
        ({"exchanges_per_day": 0}, "exchanges_per_day: must lie in"),
    ],
)
def test_wrong_choices(toy: Platform, choices: dict[str, object], words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        all_of(toy, **choices)
