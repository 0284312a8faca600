"""Metrics against definitions written out the long way."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import exchanges

from router_core.exchanges import NO_DEADLINE, Exchanges
from router_core.line_history import LineHistory
from router_core.network_builder import NetworkBuilder, Service
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, MINUTE_NS
from router_core.vocabulary import Mode, NodeKind
from sim.completion import QUANTILES, TAIL_POINTS, completion, distribution, percentile, tail
from sim.data_plane import Outcome, Refusal
from sim.front_end_desk import Holding
from sim.metrics import BUSIEST, busiest, summary, tide
from sim.pairs import pairs
from sim.results import NO_TIME_NS, StationSlots
from sim.series import Series
from sim.world import Record

SPAN_NS = 1_000
ENDED_NS = 1_400
SHARES = {"p50_ns": "0.5", "p95_ns": "0.95", "p99_ns": "0.99", "p999_ns": "0.999"}


def made_network():
    builder = NetworkBuilder(("outer",))
    service = Service(1, 1, 1)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=service, process=service)
    for name in ("a", "b", "c"):
        builder.add_line(builder.add_node(name, NodeKind.FRONT_END, service=service), centre, service=service)
    return builder.build()


NETWORK = made_network()
DELIVERED, IN_FLIGHT, REFUSED, GIVEN_UP = "delivered", "in flight", "refused", "given up"
REFUSALS = {REFUSED: Refusal.NO_ROUTE, GIVEN_UP: Refusal.GAVE_UP}

ROW = st.fixed_dictionaries(
    {
        "submitted_ns": st.integers(0, SPAN_NS - 1),
        "ends": st.permutations([1, 2, 3]),
        "payload_bytes": st.integers(0, 50),
        "mode": st.sampled_from([Mode.DOCKING, Mode.QUERY]),
        "priority": st.integers(0, 2),
        "fate": st.sampled_from([DELIVERED, DELIVERED, DELIVERED, IN_FLIGHT, REFUSED, GIVEN_UP]),
        "retries": st.integers(0, 3),
        # Few values, so that equal times and times equal to the deadline are common.
        "took_ns": st.integers(1, 8).map(lambda tens: 10 * tens),
        "due_in_ns": st.none() | st.integers(0, 8).map(lambda tens: 10 * tens) | st.just(500),
    }
)


def run_of(rows: list[dict]) -> tuple[Exchanges, Outcome]:
    rows.sort(key=lambda row: row["submitted_ns"])

    def column(name):
        return [row[name] for row in rows]

    due = [NO_DEADLINE if row["due_in_ns"] is None else row["submitted_ns"] + row["due_in_ns"] for row in rows]
    batch = exchanges(
        column("submitted_ns"),
        [row["ends"][0] for row in rows],
        [row["ends"][1] for row in rows],
        column("payload_bytes"),
        mode=column("mode"),
        priority=column("priority"),
        deadline_ns=due,
    )
    arrived = [row["submitted_ns"] + row["took_ns"] if row["fate"] == DELIVERED else -1 for row in rows]
    refusal = [REFUSALS.get(row["fate"], Refusal.NOT_REFUSED) for row in rows]
    retries = np.array(column("retries"), np.int32)
    return batch, Outcome(np.array(arrived, np.int64), np.array(refusal, np.int8), retries)


def naive_table(rows: list[dict]) -> dict:
    """Count, bytes, percentiles and deadlines by the definitions in words."""
    delivered = [row for row in rows if row["fate"] == DELIVERED]
    times = sorted(row["took_ns"] for row in delivered)

    def quantile(share: str) -> int | None:
        enough = [t for t in times if sum(other <= t for other in times) >= Fraction(share) * len(times)]
        return min(enough, default=None)

    def missed(row: dict) -> bool:
        if row["fate"] == DELIVERED:
            return row["took_ns"] > row["due_in_ns"]
        return row["fate"] in REFUSALS or row["submitted_ns"] + row["due_in_ns"] < ENDED_NS

    dated = [row for row in rows if row["due_in_ns"] is not None]
    return {
        "count": len(delivered),
        "bytes": sum(row["payload_bytes"] for row in delivered),
        **{name: quantile(share) for name, share in SHARES.items()},
        "max_ns": max(times, default=None),
        "mean_ns": sum(times) // len(times) if times else None,
        "deadline_total": len(dated),
        "deadline_missed": sum(missed(row) for row in dated),
    }


def series_of(rows: list[tuple], edges: list[int], held: tuple[int, ...] = ()) -> Series:
    """Rows are slot, station, utilisation, waiting, served, its bytes, and if not 0, spilled and failed."""
    kinds = ("i4", "i4", "f4", "i4", "i8", "i8", "i8", "i8")
    columns = zip(*((*row, 0, 0)[: len(kinds)] for row in rows), strict=True) if rows else [[]] * len(kinds)
    arrays = [np.array(list(column), dtype=kind) for column, kind in zip(columns, kinds, strict=True)]
    waits = np.array(held or [0] * (len(edges) - 1), dtype=np.int64)
    lent = np.zeros((len(waits), 0), dtype=np.int64)
    return Series(np.array(edges, dtype=np.int64), waits, 2 * waits, 0 * waits, 0 * waits, lent, StationSlots(*arrays))


def record_of(batch: Exchanges, outcome: Outcome, series: Series, ended_ns: int) -> Record:
    """A run in which nothing was held back or borrowed, and no telemetry came."""
    lines = LineHistory(TimeGrid(datetime(2024, 3, 5), HOUR_NS, 0), np.zeros((0, NETWORK.line_count), np.float32))
    return Record(batch, outcome, series, ended_ns, Holding(), (), lines, (), ())


@given(st.lists(ROW, max_size=60))
@settings(deadline=None)
def test_summary_agrees_with_the_definitions(rows):
    batch, outcome = run_of(rows)
    record = record_of(batch, outcome, series_of([], [0]), ENDED_NS)
    metrics = summary(NETWORK, record, completion(batch, outcome, ENDED_NS), "brain", SPAN_NS, 300)
    table = metrics.completion.model_dump()
    assert table["all"] == naive_table(rows)
    assert set(table["by_mode"]) == {mode.name.lower() for mode in Mode}
    for mode in Mode:
        assert table["by_mode"][mode.name.lower()] == naive_table([row for row in rows if row["mode"] == mode])
    assert set(table["by_class"]) == {str(row["priority"]) for row in rows}
    for level, part in table["by_class"].items():
        assert part == naive_table([row for row in rows if str(row["priority"]) == level])

    for fates, name in (({DELIVERED}, "delivered"), ({IN_FLIGHT}, "in_flight"), (set(REFUSALS), "refused")):
        those = [row for row in rows if row["fate"] in fates]
        assert getattr(metrics.counts, name) == len(those)
        assert getattr(metrics.bytes, name) == sum(row["payload_bytes"] for row in those)
    assert metrics.counts.submitted == len(rows)
    assert metrics.bytes.submitted == sum(row["payload_bytes"] for row in rows)
    assert metrics.refused_by_reason == {
        reason.text: sum(row["fate"] == fate for row in rows) for fate, reason in REFUSALS.items()
    }
    assert metrics.chunks.retries == sum(row["retries"] for row in rows)
    assert (metrics.span_ns, metrics.ended_ns) == (SPAN_NS, ENDED_NS)
    assert metrics.stations == []


@given(st.lists(ROW, max_size=60))
@settings(deadline=None)
def test_pairs_agree_with_the_definitions_and_sum_to_the_totals(rows):
    batch, outcome = run_of(rows)
    done = completion(batch, outcome, ENDED_NS)
    table = pairs(NETWORK, batch, done)
    names = NETWORK.node_name
    by_pair: dict[tuple[int, int], list[dict]] = {}
    for row in rows:
        by_pair.setdefault((row["ends"][0], row["ends"][1]), []).append(row)
    assert list(zip(table.source, table.target, strict=True)) == [(names[a], names[b]) for a, b in sorted(by_pair)]
    for place, ends in enumerate(sorted(by_pair)):
        expected = naive_table(by_pair[ends])
        del expected["mean_ns"]
        assert table.submitted[place] == len(by_pair[ends])
        for name, value in expected.items():
            found = int(getattr(table, name)[place])
            assert found == (NO_TIME_NS if value is None else value), name
    whole = distribution(batch, done, np.ones(len(batch), dtype=np.bool_))
    for name in ("count", "bytes", "deadline_total", "deadline_missed"):
        assert getattr(table, name).sum() == whole[name]
    assert table.submitted.sum() == len(rows)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=400))
def test_percentiles_of_any_times(times):
    ordered = np.sort(np.array(times, dtype=np.int64))
    for name, share in QUANTILES.items():
        assert share == Fraction(SHARES[name])
        found = percentile(ordered, share)
        assert found in times
        assert sum(t <= found for t in times) >= share * len(times)
        assert sum(t < found for t in times) < share * len(times)


@pytest.mark.parametrize("count", [1, 2, 999, 1_000, 1_001, 2_000, 9_999])
def test_ranks_are_exact_where_floats_are_not(count):
    """The 99.9th percentile of 1, 2, ... n is the n-th part times 999, rounded up."""
    ordered = np.arange(1, count + 1)
    assert percentile(ordered, QUANTILES["p999_ns"]) == -(-999 * count // 1_000)


@given(st.lists(st.integers(0, 40), max_size=500))
def test_the_tail_lies_between_more_than_and_at_least(times):
    curve = tail(np.sort(np.array(times, dtype=np.int64)))
    latency, above = curve["latency_ns"], curve["share_above"]
    assert len(latency) == len(above) <= TAIL_POINTS
    assert latency == sorted(latency)
    assert above == sorted(above, reverse=True)
    for t, share in zip(latency, above, strict=True):
        longer, as_long = sum(other > t for other in times), sum(other >= t for other in times)
        assert longer / len(times) < share <= as_long / len(times)
    if times:
        assert (latency[0], latency[-1]) == (min(times), max(times))
        assert above[-1] == 1 / len(times)


def test_the_tail_of_many_is_drawn_to_its_end():
    curve = tail(np.arange(1_000_000))
    shares = np.array(curve["share_above"])
    assert 100 <= len(shares) <= TAIL_POINTS
    assert shares[-1] == 1e-6
    # Without gaps: where neighbouring counts allow it, the share falls by less than a third from point to point.
    assert (shares[:-1] / shares[1:])[shares[1:] > 2e-5].max() < 1.5


def test_times_of_years_do_not_overflow():
    """Ten thousand exchanges that took three years each: their sum has no place in 64 bits, their mean has."""
    took = 94_608_000 * 10**9
    count = 10_000
    batch = exchanges(np.zeros(count), 1, 2, 1)
    outcome = Outcome(np.full(count, took), np.zeros(count, dtype=np.int8), np.zeros(count, dtype=np.int32))
    table = distribution(batch, completion(batch, outcome, took + 1), np.ones(count, dtype=np.bool_))
    assert table["mean_ns"] == table["p50_ns"] == table["max_ns"] == took


@given(st.lists(ROW, max_size=60), st.sampled_from([1, 300, 500, 1_000, 5_000]))
@settings(deadline=None)
def test_tides_sum_to_what_was_submitted(rows, slot_ns):
    batch, outcome = run_of(rows)
    modes = {mode.name.lower(): batch.mode == mode for mode in Mode}
    table = tide(batch, outcome, SPAN_NS, slot_ns)
    assert list(table["submitted"]) == list(table["bytes"]) == list(modes)
    slots = -(-SPAN_NS // slot_ns)
    assert table["start_ns"] == [slot * slot_ns for slot in range(slots)]
    for name, mask in modes.items():
        for start, count, size in zip(table["start_ns"], table["submitted"][name], table["bytes"][name], strict=True):
            inside = mask & (batch.submitted_ns >= start) & (batch.submitted_ns < start + slot_ns)
            assert (count, size) == (inside.sum(), batch.payload_bytes[inside].sum())
    for start, count in zip(table["start_ns"], table["delivered"], strict=True):
        assert count == ((outcome.delivered_ns >= start) & (outcome.delivered_ns < start + slot_ns)).sum()
    assert sum(sum(counts) for counts in table["submitted"].values()) == len(rows)
    assert sum(sum(sizes) for sizes in table["bytes"].values()) == batch.payload_bytes.sum()


def test_busiest_stations_come_first_with_their_means_over_the_span():
    rows = [
        (0, 3, 0.5, 0, 10, 100),
        (0, 4, 0.25, 7, 1, 1),
        (1, 3, 1.0, 2, 20, 200),
        (1, 5, 1.0, 9, 2, 2),
        (2, 4, 0.75, 0, 4, 4),  # after the span: counts for the peak, not for the mean
    ]
    series = series_of(rows, [0, 100, 200, 300])
    table = {row["station"]: row for row in busiest(NETWORK, series, 200)}
    assert list(table) == [3, 5, 4], "all slots lie in one hour: by its mean, then by the longest queue"
    assert [table[station]["busy_hour_utilisation"] for station in (3, 4, 5)] == [0.5, 0.333333, 0.333333]
    assert table[3]["mean_utilisation"] == 0.75
    assert table[4]["mean_utilisation"] == 0.125
    assert table[4]["peak_utilisation"] == 0.75
    assert [table[station]["peak_waiting"] for station in (3, 4, 5)] == [2, 7, 9]
    assert (table[3]["served"], table[3]["served_bytes"]) == (30, 300)
    assert table[3]["name"] == NETWORK.station_name[3]


def test_what_befell_chunks_is_summed_over_stations_and_slots():
    rows = [(0, 3, 0.5, 0, 10, 100, 4, 1), (1, 3, 1.0, 2, 20, 200, 3, 0), (1, 5, 1.0, 9, 2, 2, 0, 7)]
    series = series_of(rows, [0, 100, 200], held=(5, 2))
    batch, outcome = run_of([])
    record = record_of(batch, outcome, series, 200)
    metrics = summary(NETWORK, record, completion(batch, outcome, 200), "brain", 200, 100)
    chunks = metrics.chunks
    assert (chunks.spilled, chunks.failed, chunks.held_peak, chunks.retrying_peak) == (7, 8, 5, 10)
    by_station = {load.station: (load.spilled, load.failed) for load in metrics.stations}
    assert by_station == {3: (7, 1), 5: (0, 7)}


def test_the_busiest_hour_counts_and_not_the_busiest_slot():
    half = 30 * MINUTE_NS
    rows = [(0, 3, 1.0, 0, 1, 1), (2, 4, 0.75, 0, 1, 1), (3, 4, 0.5, 0, 1, 1)]
    table = busiest(NETWORK, series_of(rows, [0, half, 2 * half, 3 * half, 4 * half]), 4 * half)
    assert [(row["station"], row["busy_hour_utilisation"]) for row in table] == [(4, 0.625), (3, 0.5)]


def test_no_more_than_the_busiest_are_listed():
    builder = NetworkBuilder(("outer",))
    for number in range(3 * BUSIEST):
        builder.add_node(f"r{number}", NodeKind.ROUTER, service=Service(1, 1, 1))
    network = builder.build()
    rows = [(0, station, station / 100, 0, 1, 1) for station in range(network.station_count)]
    table = busiest(network, series_of(rows, [0, 100]), 100)
    assert [row["station"] for row in table] == list(range(3 * BUSIEST - 1, 2 * BUSIEST - 1, -1))


def test_a_slot_longer_than_the_span_keeps_means_below_one():
    """A trace of three minutes in slots of five: the slot's share counts for three minutes."""
    series = series_of([(0, 3, 1.0, 4, 10, 100)], [0, 5 * MINUTE_NS])
    (row,) = busiest(NETWORK, series, 3 * MINUTE_NS)
    assert row["mean_utilisation"] == 1.0
