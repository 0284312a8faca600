"""The route table: what `Choice.pick` says, for every class, down stations avoided, whole while it is swapped."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest
from made_networks import DrawnPlan, drawn_network
from made_splits import drawn_split, paths_of_plan

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.path_set import path_set
from router_core.plan import Choice, route
from router_core.spread import spread
from router_core.table import NO_ROUTE, NONE_LIVE, CurrentTable, RouteTable, TableParts, route_table, table_parts
from router_core.vocabulary import PRIORITY_MAX

SEEDS = range(8)
IDS = (0, 1, 17, 2**31, 2**62 - 1, 2**63 - 1)


def drawn(seed: int) -> tuple[Random, Network, DrawnPlan]:
    random = Random(seed)
    network = drawn_network(random)
    return random, network, DrawnPlan(random, network, without_route=0.2, ways_max=5)


def endpoint_pairs(network: Network) -> Iterator[tuple[int, int, tuple[int, int]]]:
    group = network.node_group
    for source in network.endpoints.tolist():
        for target in network.endpoints.tolist():
            yield source, target, (int(group[source]), int(group[target]))


def batch(random: Random, network: Network, count: int):
    ends = network.endpoints.tolist()
    return (
        np.array(random.choices(ends, k=count), dtype=np.int32),
        np.array(random.choices(ends, k=count), dtype=np.int32),
        np.array(random.choices(range(PRIORITY_MAX + 1), k=count), dtype=np.int8),
        np.array([random.randrange(2**62) for _ in range(count)], dtype=np.int64),
    )


def alternates(choice: Choice, taken: int) -> list[int]:
    """Positions in the order in which they stand in for the one taken: by attempts, then those of no weight."""
    count = len(choice.trunks)
    used = [place for place in range(count) if choice.weights[place] > 0]
    later = [place for place in used if place > taken] + [place for place in used if place < taken]
    return later + [place for place in range(count) if choice.weights[place] == 0 and place != taken]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_look_up_is_the_pick_of_its_choice(seed):
    random, network, plan = drawn(seed)
    table = route_table(network, plan)
    without = 0
    for source, target, groups in endpoint_pairs(network):
        choice = plan.choice(*groups)
        assert table.choice(*groups) == choice
        for attempt in range(4):
            for exchange_id in (*IDS, random.randrange(10**6)):
                found = table.lookup(source, target, random.randint(0, PRIORITY_MAX), exchange_id, attempt)
                if choice is None:
                    assert found is None
                    without += 1
                    continue
                place = choice.pick(exchange_id, attempt)
                assert found.trunk == choice.trunks[place]
                assert found.stations == choice.trunks[place].stations
                assert found.alternates == tuple(choice.trunks[other] for other in alternates(choice, place))
                assert table.route(found.number) is found
                assert table.stations(found.number) is found.stations
    assert without


@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_is_many_look_ups(seed):
    random, network, plan = drawn(seed)
    table = route_table(network, plan, {2: DrawnPlan(random, network, without_route=0.5)})
    down = np.array([random.random() < 0.05 for _ in range(network.station_count)])
    columns = batch(random, network, 500)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    out = np.empty(500, dtype=np.int32)
    assert table.lookup_many(*columns, out=out) is out
    plain = [table.lookup(*row) for row in rows]
    assert out.tolist() == [NO_ROUTE if found is None else found.number for found in plain]
    live = table.lookup_many(*columns, down=down).tolist()
    for row, first, number in zip(rows, plain, live, strict=True):
        found = table.lookup_live(*row, down)
        assert number == (found.number if found else NO_ROUTE if first is None else NONE_LIVE)
    assert {NO_ROUTE, NONE_LIVE} <= set(live)
    assert table.lookup_many(*(column[:0] for column in columns)).tolist() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_down_is_avoided_by_the_first_alternate_that_can(seed):
    random, network, plan = drawn(seed)
    table = route_table(network, plan)
    seen = Counter()
    for source, target, groups in endpoint_pairs(network):
        choice = plan.choice(*groups)
        if choice is None:
            continue
        for exchange_id in range(6):
            down = np.array([random.random() < 0.15 for _ in range(network.station_count)])
            taken = choice.pick(exchange_id, attempt := random.randint(0, 2))
            order = [taken, *alternates(choice, taken)]
            live = [
                place for place in order if not down[list(route(network, source, target, choice.trunks[place]))].any()
            ]
            found = table.lookup_live(source, target, 0, exchange_id, down.astype(np.uint8), attempt)
            assert (found and found.trunk) == (choice.trunks[live[0]] if live else None)
            seen["same" if live[:1] == [taken] else "other" if live else "none"] += 1
            seen["last resort"] += bool(live and choice.weights[live[0]] == 0)
    assert min(seen[name] for name in ("same", "other", "none", "last resort")) > 0, seen


def test_classes_follow_their_own_plan_and_the_default_where_it_is_silent():
    random = Random(5)
    network = drawn_network(random)
    default, urgent, bulk = (DrawnPlan(random, network) for _ in range(3))
    count = len(network.groups)
    some = {
        (a, b): None if (a + b) % 5 == 0 else bulk.choice(a, b)
        for a in range(count)
        for b in range(count)
        if (a + b) % 2
    }
    table = route_table(network, default, {0: urgent, 6: some, 7: some})
    for a in range(count):
        for b in range(count):
            assert table.choice(a, b) == default.choice(a, b)
            for priority in range(PRIORITY_MAX + 1):
                wanted = urgent.choice(a, b) if priority == 0 else default.choice(a, b)
                if priority >= 6 and (a, b) in some:
                    wanted = some[a, b]
                assert table.choice(a, b, priority) == wanted
    for source, target, groups in endpoint_pairs(network):
        found = table.lookup(source, target, 6, 99)
        choice = table.choice(*groups, 6)
        assert (found and found.trunk) == (choice and choice.trunks[choice.pick(99)])
    # Two classes of one mapping share it, and rows that fall back are those of the default.
    assert route_table(network, default, {7: some}).nbytes == table_without(network, default, some).nbytes


def table_without(network: Network, default, some) -> RouteTable:
    return route_table(network, default, {5: some, 6: some, 7: some})


@pytest.mark.parametrize("seed", SEEDS)
def test_a_split_becomes_weights_and_paths_without_a_share_remain_as_last_resort(seed):
    random, network, plan = drawn(seed)
    paths, choices = paths_of_plan(network, plan)
    split = drawn_split(random, paths)
    table = route_table(network, split)
    closed = 0
    for pair, (source, target) in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True)):
        shares = split.shares[paths.pair_start[pair] : paths.pair_start[pair + 1]]
        found = table.choice(source, target)
        if choices[pair] is None or not shares.any():
            assert found is None
            closed += 1
            continue
        assert found.trunks == tuple(dict.fromkeys(choices[pair].trunks))
        assert sum(found.weights) == 2**16
        assert np.abs(np.array(found.weights) / 2**16 - shares).max() < 2**-16
        assert [weight > 0 for weight in found.weights] == [share > 0 for share in shares]
    assert closed


def test_a_split_of_some_pairs_leaves_the_others_to_the_default():
    random, network, plan = drawn(3)
    paths, _ = paths_of_plan(network, plan)
    split = drawn_split(random, paths, closed=0.0)
    keep = 5
    few = replace(
        split,
        paths=replace(
            paths,
            source=paths.source[:keep],
            target=paths.target[:keep],
            pair_start=paths.pair_start[: keep + 1],
            path_start=paths.path_start[: paths.pair_start[keep] + 1],
            path_station=paths.path_station[: paths.path_start[paths.pair_start[keep]]],
        ),
        shares=split.shares[: paths.pair_start[keep]],
    )
    alone, over = route_table(network, few), route_table(network, plan, {4: few})
    whole = route_table(network, split)
    for pair, groups in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True)):
        wanted = whole.choice(*groups) if pair < keep else None
        assert alone.choice(*groups) == wanted
        assert over.choice(*groups, 4) == (wanted if pair < keep else plan.choice(*groups))


def test_every_exchange_of_a_scenario_has_a_route():
    network = scenarios.load("toy").network
    plan = EqualCostPlan(network)
    table = route_table(network, plan)
    count = Counter()
    for source, target, groups in endpoint_pairs(network):
        choice = plan.choice(*groups)
        for exchange_id in range(50):
            found = table.lookup(source, target, 0, exchange_id)
            assert found.trunk == choice.trunks[spread(exchange_id, 0, len(choice.trunks))]
            count[len(choice.trunks)] += 1
    assert max(count) > 1


def test_trunks_that_come_again_are_stored_once_and_the_size_is_what_is_counted():
    network = scenarios.load("toy").network
    parts = table_parts(network, EqualCostPlan(network))
    table = RouteTable(parts)
    trunks = {table.route(number).trunk for number in range(table.route_count)}
    assert len(trunks) == table.trunk_count < table.route_count
    # Cells and rows take four bytes each, a route eight, a trunk twelve and four a station.
    ends = 4 * (3 * network.node_count + 1 + 3 * len(parts.access_home))
    ways = 4 * (parts.cell.size + len(parts.row_start) + 2 * table.route_count)
    stations = 4 * (3 * table.trunk_count + 1 + len(parts.trunk_station))
    assert ends + ways + stations < table.nbytes < ends + ways + stations + 256


def small_parts() -> tuple[Network, TableParts]:
    _, network, plan = drawn(1)
    return network, table_parts(network, plan)


def with_entry(parts: TableParts, name: str, place, value) -> TableParts:
    changed = np.array(getattr(parts, name), dtype=np.int64)
    changed[place] = value
    return replace(parts, **{name: changed})


COLUMNS = [field.name for field in fields(TableParts) if field.name not in ("station_count", "group_count")]


@pytest.mark.parametrize("value", [-(2**40), -2, 2**31, 2**40])
@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_number_out_of_bounds_is_refused_by_name(name, place, value):
    _, parts = small_parts()
    size = np.size(getattr(parts, name))
    where = np.unravel_index(0 if place == "first" else size - 1, np.shape(getattr(parts, name)))
    with pytest.raises(BadInputError, match=f"^route table: (weights of row \\d+|{name})"):
        RouteTable(with_entry(parts, name, where, value))


# What is one beyond each bound.
BEYOND = {
    "node_group": lambda parts: parts.group_count,
    "node_station": lambda parts: parts.station_count,
    "access_home": lambda parts: len(parts.node_group),
    "access_out": lambda parts: parts.station_count,
    "access_in": lambda parts: parts.station_count,
    "class_layer": lambda parts: len(parts.cell),
    "cell": lambda parts: len(parts.row_start) - 1,
    "trunk": lambda parts: len(parts.trunk_first),
    "trunk_first": lambda parts: len(parts.node_group),
    "trunk_last": lambda parts: len(parts.node_group),
    "trunk_station": lambda parts: parts.station_count,
}


@pytest.mark.parametrize("name", BEYOND)
def test_a_number_just_beyond_its_bound_is_refused(name):
    _, parts = small_parts()
    beyond = BEYOND[name](parts)
    where = (0,) * np.ndim(getattr(parts, name))
    with pytest.raises(BadInputError, match=f"{name}.*got {beyond}"):
        RouteTable(with_entry(parts, name, where, beyond))


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_another_length_shape_or_type_are_refused(name):
    _, parts = small_parts()
    column = np.asarray(getattr(parts, name))
    # The first column of its kind says how many there are, and the next one is wrong then.
    for changed in (column[..., :-1], np.concatenate((column, column[..., -1:]), axis=-1), column.astype(float)):
        with pytest.raises(BadInputError, match=r"^route table"):
            RouteTable(replace(parts, **{name: changed}))
    with pytest.raises(BadInputError, match=f"^route table: {name}"):
        RouteTable(replace(parts, **{name: column[None]}))


def test_empty_choices_and_weights_without_sum_are_refused():
    _, parts = small_parts()
    empty_row = np.concatenate((parts.row_start[:1], parts.row_start))
    with pytest.raises(BadInputError, match=r"row_start\[1\].*nothing here may be empty"):
        RouteTable(replace(parts, row_start=empty_row))
    nothing = np.zeros_like(parts.weight)
    with pytest.raises(BadInputError, match="weights of row 0: must sum to 1"):
        RouteTable(replace(parts, weight=nothing))
    row = int(np.flatnonzero(np.diff(parts.row_start) > 1)[0])
    weight = np.ones_like(parts.weight)
    weight[parts.row_start[row]] = 2**31 - 1
    with pytest.raises(BadInputError, match=f"weights of row {row}: must sum to 1"):
        RouteTable(replace(parts, weight=weight))
    weight[parts.row_start[row]] -= parts.row_start[row + 1] - parts.row_start[row] - 1
    RouteTable(replace(parts, weight=weight))


def with_trunk(choice: Choice, **changed) -> Choice:
    return Choice((replace(choice.trunks[0], **changed),), (1,))


WRONG_CHOICES = {
    "no way": (lambda choice: Choice((), ()), "weights: must be one a trunk"),
    "a weight too many": (lambda choice: replace(choice, weights=(1, *choice.weights)), "weights: must be one a trunk"),
    "no weight": (lambda choice: replace(choice, weights=(0,) * len(choice.trunks)), "sum in 1.."),
    "a negative weight": (lambda choice: Choice(choice.trunks[:1] * 2, (-1, 2)), "none negative"),
    "too much weight": (lambda choice: Choice(choice.trunks[:1], (2**31,)), r"sum in 1\.\.2147483647"),
    "no such first": (lambda choice: with_trunk(choice, first=-1), r"trunks\[0\].first: must be a home of"),
    "no such last": (lambda choice: with_trunk(choice, last=10**6), r"trunks\[0\].last: must be a home of"),
    "no such station": (lambda choice: with_trunk(choice, stations=(0, -1)), r"stations: .*got -1"),
    "no station": (lambda choice: with_trunk(choice, stations=()), "must be at least one station"),
}


@pytest.mark.parametrize("name", WRONG_CHOICES)
def test_choices_that_no_exchange_could_follow_are_refused_by_the_pair(name):
    change, message = WRONG_CHOICES[name]
    network = scenarios.load("toy").network
    good = EqualCostPlan(network).choice(1, 2)
    names = " > ".join(network.node_name[network.group_endpoint[group]] for group in (1, 2))
    with pytest.raises(BadInputError, match=message) as refused:
        route_table(network, {(1, 2): change(good)})
    assert refused.value.place.startswith(f"plan {names}.")


def test_pairs_classes_and_splits_that_do_not_fit_are_refused():
    random, network, plan = drawn(2)
    paths, _ = paths_of_plan(network, plan)
    split = drawn_split(random, paths)
    with pytest.raises(BadInputError, match=r"group: must lie in 0\.\."):
        route_table(network, {(0, len(network.groups)): None})
    with pytest.raises(BadInputError, match=r"class: must lie in 0\.\.7 \(got 8\)"):
        route_table(network, plan, {8: plan})
    with pytest.raises(BadInputError, match="paths: must be of the network's space"):
        route_table(scenarios.load("toy").network, split)
    with pytest.raises(BadInputError, match="must sum to 1, or be all 0"):
        route_table(network, replace(split, shares=split.shares * 0.9))
    pair = int(np.flatnonzero(np.diff(paths.pair_start))[0])
    ends = ([paths.source[pair]] * 2, [paths.target[pair]] * 2)
    twice = path_set(paths.space, *ends, [paths.paths_of(pair)[:1]] * 2)
    with pytest.raises(BadInputError, match=r"must come once \(got 2\)"):
        route_table(network, replace(split, paths=twice, shares=np.ones(2)))


def test_look_ups_of_what_does_not_exist_are_refused_by_name():
    network, parts = small_parts()
    table = RouteTable(parts)
    end, other = network.endpoints[:2].tolist()
    centre = int(np.flatnonzero(~network.is_endpoint)[0])
    good = {"source": end, "target": other, "priority": 0, "exchange_id": 5, "attempt": 0}
    table.lookup(**good)
    down = np.zeros(network.station_count, dtype=np.uint8)
    for name, value in [
        *((side, bad) for side in ("source", "target") for bad in (-1, centre, network.node_count, 2**40, -(2**63))),
        *(("priority", bad) for bad in (-1, 8, 2**62)),
        ("exchange_id", -1),
        ("attempt", -1),
    ]:
        wrong = good | {name: value}
        for call in (lambda given: table.lookup(**given), lambda given: table.lookup_live(down=down, **given)):
            with pytest.raises(BadInputError, match=f"^route table: {name}: must") as refused:
                call(wrong)
            assert refused.value.value == value
        if name == "attempt" or not -128 <= value < 128:
            continue
        columns = [
            np.array([good[key], (good | wrong)[key]], dtype=kind)
            for key, kind in (("source", "i4"), ("target", "i4"), ("priority", "i1"), ("exchange_id", "i8"))
        ]
        for mask in (None, down):
            with pytest.raises(BadInputError, match=f"^route table: {name} of row 1: must"):
                table.lookup_many(*columns, down=mask)
    for wrong in (down[:-1], np.zeros(network.station_count + 1, dtype=np.uint8), down[:0]):
        with pytest.raises(BadInputError, match=r"^route table: down: must have"):
            table.lookup_live(end, other, 0, 1, wrong)
        with pytest.raises(BadInputError, match=r"^route table: down: must have"):
            table.lookup_many(*batch(Random(1), network, 3), down=wrong)
    columns = batch(Random(1), network, 3)
    for place in range(4):
        short = [column[: 3 - (place == number)] for number, column in enumerate(columns)]
        with pytest.raises(BadInputError, match="columns must have one length"):
            table.lookup_many(*short)
    with pytest.raises(BadInputError, match="out: must have 3 entries"):
        table.lookup_many(*columns, out=np.empty(2, dtype=np.int32))
    for number in (-1, table.route_count, 2**40):
        with pytest.raises(BadInputError, match=r"^route table: route: must lie in"):
            table.route(number)
    for pair in ((-1, 0), (0, len(network.groups)), (2**40, 0)):
        with pytest.raises(BadInputError, match="_group: must lie in"):
            table.choice(*pair)
    for priority in (-1, 8):
        with pytest.raises(BadInputError, match="priority: must lie in"):
            table.choice(0, 0, priority)
    with pytest.raises(TypeError):
        table.lookup("a", other, 0, 1)
    with pytest.raises(OverflowError):
        table.lookup(2**70, other, 0, 1)


def test_nothing_from_outside_changes_a_table():
    network, parts = small_parts()
    mine = replace(parts, **{name: np.array(getattr(parts, name)) for name in COLUMNS})
    table, untouched = RouteTable(mine), RouteTable(parts)
    for name in COLUMNS:
        getattr(mine, name)[...] = 0
    other = RouteTable.__new__(RouteTable, parts)
    table.__init__(mine)
    shown = {name for name in dir(table) if not name.startswith("_") and not callable(getattr(table, name))}
    assert shown == {"nbytes", "route_count", "trunk_count"}
    with pytest.raises((AttributeError, TypeError)):
        table.route_count = 1
    with pytest.raises(AttributeError):
        table.more = 1
    with pytest.raises(TypeError):
        type("Derived", (RouteTable,), {})
    with pytest.raises(TypeError):
        table.__reduce__()
    pairs = [(a, b) for a in range(len(network.groups)) for b in range(len(network.groups))]
    for pair in pairs:
        assert table.choice(*pair) == untouched.choice(*pair) == other.choice(*pair)


def test_a_network_without_endpoints_has_a_table_that_refuses_all():
    empty = np.zeros(0, dtype=np.int64)
    one = np.zeros(1, dtype=np.int64)
    none = {name: empty for name in COLUMNS if name not in ("access_start", "row_start", "trunk_start")}
    none |= {"node_group": one - 1, "node_station": one, "access_start": np.zeros(2, dtype=np.int64)}
    none |= {"row_start": one, "trunk_start": one, "class_layer": np.zeros(8, dtype=np.int64)}
    none |= {"cell": np.zeros((1, 0, 0), dtype=np.int64)}
    table = RouteTable(TableParts(station_count=1, group_count=0, **none))
    assert table.route_count == table.trunk_count == 0
    with pytest.raises(BadInputError, match="source: must be an endpoint"):
        table.lookup(0, 0, 0, 0)


def test_publishing_gives_back_the_table_before_and_counts():
    _, parts = small_parts()
    first, second = RouteTable(parts), RouteTable(parts)
    current = CurrentTable(first)
    assert current.read() == (0, first)
    assert current.publish(second) is first
    assert (current.epoch, current.table) == (1, second)
    for nothing in (None, parts):
        with pytest.raises(TypeError):
            current.publish(nothing)
    with pytest.raises(TypeError):
        CurrentTable(None)
    assert current.read() == (1, second)


TABLES = 3
PUBLISHED = 300


def test_threads_read_whole_tables_while_they_are_swapped_and_freed():
    """Tables differ in every choice, so any mixture of two of them would be seen."""
    random = Random(9)
    network = drawn_network(random)
    plans = [DrawnPlan(random, network, ways_max=4) for _ in range(TABLES)]
    parts = [table_parts(network, plan) for plan in plans]
    columns = batch(random, network, 5_000)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))[:20]
    down = np.array([random.random() < 0.1 for _ in range(network.station_count)])
    wanted = [RouteTable(each).lookup_many(*columns).tolist() for each in parts]
    wanted_live = [RouteTable(each).lookup_many(*columns, down=down).tolist() for each in parts]
    wanted_rows = [[RouteTable(each).lookup(*row) for row in rows] for each in parts]
    assert len({tuple(numbers) for numbers in wanted}) == TABLES

    current = CurrentTable(RouteTable(parts[0]))
    done = threading.Event()
    failures: list[str] = []
    reads: Counter[int] = Counter()

    def read(thread: int) -> None:
        epoch_before = -1
        while not done.is_set() or reads[thread] < 3:
            epoch, table = current.read()
            kind = epoch % TABLES
            good = epoch >= epoch_before
            good &= table.lookup_many(*columns).tolist() == wanted[kind]
            good &= table.lookup_many(*columns, down=down).tolist() == wanted_live[kind]
            good &= [table.lookup(*row) for row in rows] == wanted_rows[kind]
            epoch_before = epoch
            reads[thread] += 1
            if not good:
                failures.append(f"thread {thread} at epoch {epoch}")
                return

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for epoch in range(1, PUBLISHED + 1):
            # The one before is freed at once, unless a reader has it.
            previous = current.publish(RouteTable(parts[epoch % TABLES]))
            assert previous is not current.table
    finally:
        done.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert not failures
    assert current.epoch == PUBLISHED
    assert min(reads[number] for number in range(4)) >= 3
