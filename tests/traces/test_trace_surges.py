from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_core.calendar import LOCAL_TIME, day_of
from router_core.catalogue import SharingRule
from router_core.errors import BadInputError
from router_core.exchanges import Exchanges, concatenate
from router_core.platform import Platform
from router_core.units import MINUTE_NS
from router_core.vocabulary import Mode, TaskKind
from traces.generate import TraceGenerator
from traces.surge_flows import Surge
from traces.surges import SurgeKind, SurgeSpec, office_minutes, parse_surge, surge_shape

PLAIN_DAY = date(2026, 3, 17)
NOON = datetime(2026, 3, 17, 12, 0, tzinfo=LOCAL_TIME)
SPECS = st.builds(
    SurgeSpec,
    kind=st.sampled_from(SurgeKind),
    moment=st.none()
    | st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
        lambda when: when.replace(second=0, microsecond=0, tzinfo=LOCAL_TIME)
    ),
    size=st.none() | st.integers(1, 10_000).map(lambda size: size / 10),
)


def struck(
    platform: Platform, *texts: str, days: int = 1, load: float = 1.0, seed: int = 1
) -> tuple[tuple[Surge, ...], Exchanges]:
    generator = TraceGenerator(
        platform,
        start=PLAIN_DAY,
        span=timedelta(days=days),
        seed=seed,
        load=load,
        surges=[parse_surge(text) for text in texts],
    )
    exchanges = concatenate(list(generator))
    return generator.surges, exchanges[exchanges.surge >= 0]


@given(SPECS)
def test_text_round_trip(spec: SurgeSpec) -> None:
    assert parse_surge(spec.name) == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"must read KIND\[@"),
        ("flood", "the kind must be one of deadline, enrolment, emergency, correction"),
        ("deadline@2026-03-17", r"must read KIND\[@"),
        ("deadline@2026-13-17T10:00", "the time must exist"),
        ("deadline@2026-03-17T10:00x", r"must read KIND\[@"),
        ("deadlinex1e", "the size must be a number"),
        ("deadlinex0", "the size must be above 0"),
        ("deadlinex-3", "the size must be above 0"),
        ("deadlinex1e9", "the size must be above 0"),
        ("deadlinexnan", "the kind must be one of"),
        ("deadline@2026-03-17T10:00xnan", r"must read KIND\[@"),
        ("Deadline", r"must read KIND\[@"),
    ],
)
def test_wrong_texts(text: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        parse_surge(text)


@given(st.sampled_from(SurgeKind), st.datetimes(datetime(2026, 1, 1), datetime(2026, 11, 1)))
@settings(max_examples=40)
def test_shapes_peak_at_one(kind: SurgeKind, moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0, tzinfo=LOCAL_TIME)
    begin, shape = surge_shape(SurgeSpec(kind, moment, 1.0))
    assert shape.max() == 1.0
    assert shape.min() >= 0.0
    assert shape[-1] > 0.0
    end = begin + timedelta(minutes=len(shape))
    if kind == SurgeKind.DEADLINE:
        assert end == moment
        assert (np.diff(shape) > 0).all()
        assert np.allclose(shape[1:] / shape[:-1], shape[1] / shape[0])
    elif kind == SurgeKind.ENROLMENT:
        assert (begin, end) == (moment, moment + timedelta(hours=2))
        assert set(shape.tolist()) == {1.0}
    elif kind == SurgeKind.EMERGENCY:
        assert begin == moment
        assert (np.diff(shape) < 0).all()
    else:
        assert begin == moment
        at = [begin + timedelta(minutes=int(minute)) for minute in np.flatnonzero(shape)]
        assert len({when.date() for when in at}) == 5
        assert all(day_of(when.date()).working for when in at)
        assert all(office_minutes(when.date())[when.hour * 60 + when.minute] for when in at)


@pytest.mark.parametrize("kind", [kind.value for kind in SurgeKind])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_surge_adds_what_it_says(toy: Platform, kind: str, seed: int) -> None:
    (surge,), extra = struck(toy, f"{kind}@2026-03-17T10:30x20", days=9, load=5, seed=seed)
    strike = surge.strike
    start = datetime(2026, 3, 17, tzinfo=LOCAL_TIME)
    minute = extra.submitted_ns // MINUTE_NS - (surge.begin - start) // timedelta(minutes=1)
    assert len(minute) > 50
    assert minute.min() >= 0
    assert minute.max() < len(surge.minute_means)
    mean = surge.minute_means.sum()
    assert abs(len(minute) - mean) < 5 * np.sqrt(mean)
    # Over time too: the rise and fall is the one of the shape.
    middle = int(np.searchsorted(np.cumsum(surge.minute_means), mean / 2)) + 1
    early = surge.minute_means[:middle].sum()
    assert abs((minute < middle).sum() - early) < 5 * np.sqrt(early)
    peak = 20 * strike.normal_per_hour / 60
    assert np.isclose(surge.minute_means.max(), peak)
    verdict = toy.catalogue.verdict(toy.network, strike.source, strike.target, strike.resource)
    assert (verdict == SharingRule.PERMITTED).all()
    assert set(extra.kind.tolist()) == {TaskKind.EXCHANGE}


@pytest.fixture(scope="module")
def province(jiangxi: Platform) -> tuple[tuple[Surge, ...], Exchanges]:
    return struck(
        jiangxi,
        "deadline@2026-03-17T17:00x5",
        "enrolment@2026-03-17T10:00x3",
        "emergency@2026-03-17T10:00x3",
        "correction@2026-03-17T09:00x2",
    )


def test_deadline_many_to_one(jiangxi: Platform, province: tuple[tuple[Surge, ...], Exchanges]) -> None:
    surge, extra = province[0][0], province[1][province[1].surge == 0]
    receiver = set(jiangxi.catalogue.node_unit[extra.target].tolist())
    assert surge.strike.where == f"unit {jiangxi.catalogue.unit_name[receiver.pop()]}"
    assert not receiver
    assert len(np.unique(jiangxi.catalogue.node_unit[surge.strike.source])) > 50
    assert len(np.unique(extra.source)) > 20
    assert (extra.submitted_ns < 17 * 60 * MINUTE_NS).all()


def test_enrolment_one_resource_from_everywhere(
    jiangxi: Platform, province: tuple[tuple[Surge, ...], Exchanges]
) -> None:
    surge, extra = province[0][1], province[1][province[1].surge == 1]
    assert len(np.unique(extra.resource)) == 1
    assert surge.strike.where == f"resource {jiangxi.catalogue.resource_name[int(extra.resource[0])]}"
    assert set(extra.mode.tolist()) == {Mode.QUERY}
    assert len(np.unique(surge.strike.target)) > 100


def test_emergency_many_types_in_one_region(jiangxi: Platform, province: tuple[tuple[Surge, ...], Exchanges]) -> None:
    surge, extra = province[0][2], province[1][province[1].surge == 2]
    region = int(surge.strike.where.removeprefix("region "))
    city = jiangxi.catalogue.unit_city
    ends = jiangxi.catalogue.node_unit[np.stack([extra.source, extra.target])]
    assert (city[ends] == region).any(axis=0).all()
    on_demand = {index for index, kind in enumerate(jiangxi.demand.types) if kind.kind == TaskKind.EXCHANGE}
    assert set(extra.demand_type.tolist()) == on_demand


def test_correction_of_one_unit(jiangxi: Platform, province: tuple[tuple[Surge, ...], Exchanges]) -> None:
    surge, extra = province[0][3], province[1][province[1].surge == 3]
    sender = np.unique(jiangxi.catalogue.node_unit[extra.source])
    assert [f"unit {jiangxi.catalogue.unit_name[unit]}" for unit in sender] == [surge.strike.where]
    assert set(extra.mode.tolist()) == {Mode.BATCH}
    assert surge.end == datetime(2026, 3, 23, 17, 30, tzinfo=LOCAL_TIME)


def test_missing_parts_are_drawn(toy: Platform) -> None:
    open_, _ = struck(toy, "deadline", "emergency", seed=9)
    again, _ = struck(toy, "deadline", "emergency", "correction", seed=9)
    assert [surge.spec for surge in again[:2]] == [surge.spec for surge in open_]
    for surge in open_:
        assert surge.spec.moment is not None
        assert surge.spec.moment.date() == PLAIN_DAY
        minute = surge.spec.moment.hour * 60 + surge.spec.moment.minute
        assert office_minutes(PLAIN_DAY)[minute]
        assert surge.spec.size is not None
        assert 2 <= surge.spec.size <= 6
    stated, _ = struck(toy, "deadlinex3", seed=9)
    assert stated[0].spec.moment == open_[0].spec.moment
    assert stated[0].strike.where == open_[0].strike.where
    other, _ = struck(toy, "deadline", seed=10)
    assert other[0].spec != open_[0].spec


def test_a_trace_without_office_hours_can_surge(toy: Platform) -> None:
    spec = TraceGenerator(
        toy, start=datetime(2026, 3, 15, 3), span=timedelta(minutes=90), seed=1, surges=[SurgeSpec(SurgeKind.EMERGENCY)]
    ).surges[0].spec  # fmt: skip
    assert spec.moment is not None
    assert datetime(2026, 3, 15, 3, tzinfo=LOCAL_TIME) <= spec.moment < datetime(2026, 3, 15, 4, 30, tzinfo=LOCAL_TIME)


def test_what_surges_are_called(toy: Platform) -> None:
    generator = TraceGenerator(
        toy, start=PLAIN_DAY, seed=1, surges=[parse_surge("deadline@2026-03-17T17:00x5"), parse_surge("emergency")]
    )
    assert generator.info.surges[0] == "deadline@2026-03-17T17:00x5"
    assert parse_surge(generator.info.surges[1]).kind == SurgeKind.EMERGENCY
    described = generator.info.provenance["surges"]
    assert [item["name"] for item in described] == list(generator.info.surges)
    assert described[0]["begin"] == "2026-03-17T13:00:00+08:00"
    assert described[0]["end"] == "2026-03-17T17:00:00+08:00"


@pytest.mark.parametrize(
    "text", ["deadline@2026-03-16T23:00", "emergency@2026-03-18T00:00", "enrolment@2026-03-16T22:00"]
)
def test_a_surge_overlaps_its_trace(toy: Platform, text: str) -> None:
    with pytest.raises(BadInputError, match="surge: must overlap the trace, 2026-03-17T00:00 to 2026-03-18T00:00"):
        struck(toy, text)


def test_a_surge_may_begin_before_the_trace(toy: Platform) -> None:
    (surge,), extra = struck(toy, "emergency@2026-03-16T22:00x50")
    late = surge.minute_means[120:].sum()
    assert abs(len(extra) - late) < 5 * np.sqrt(late)


def test_too_many_surges(toy: Platform) -> None:
    with pytest.raises(BadInputError, match="surges: at most 127 fit a trace"):
        struck(toy, *["emergency"] * 128)
