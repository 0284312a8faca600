"""Fixed work for each Cython extension, with arrays alone: what is counted is the extension, not who drives it.

Run by path, so that `router_core` may be another revision's::

    PYTHONPATH=. python benchmarks/gates/compiled_work.py [MARKS]

MARKS is the library of `callgrind.marks`, by which valgrind learns where a piece of work begins and ends; without it
the work is done once, to see that it still can be. Numbers are drawn by splitmix64 in whole numbers: no library's next
version draws others.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from router_core.engine import Engine, Run
from router_core.spread import spread
from router_core.table.parts import TableParts
from router_core.table.route_table import CurrentTable, RouteTable

NODES, STATIONS, PAIRS, EXCHANGES = 60, 240, 400, 12_000
GAP_NS = 60_000  # between two exchanges, on average: the busiest stations then have queues, and all of them end
FAR_NS = 10**15
FIFO, PRIORITY, SHARING = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Work:
    """A piece of work: `prepare` makes it ready uncounted, what it returns does it, and `check` looks at the result."""

    name: str
    prepare: Callable[[], Callable[[], Any]]
    check: Callable[[Any], bool]


def drawn(name: str, count: int, below: int) -> NDArray[np.int64]:
    """Return `count` whole numbers from [0, below), by splitmix64 of name and place."""
    x = np.arange(count, dtype=np.uint64) + np.uint64(crc32(name.encode()) << 24)
    with np.errstate(over="ignore"):
        x = x * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) % np.uint64(below)).astype(np.int64)


class Drive:
    """An engine, fed and given its ways as the data plane does it.

    Parameters
    ----------
    discipline : int
        Of all stations.
    chunk_bytes : int
        Exchanges above it move in chunks; 0: all of them whole.
    """

    def __init__(self, discipline: int, *, chunk_bytes: int = 0) -> None:
        spill = np.where(np.arange(STATIONS) % 5 == 0, 200_000, -1)
        zero = np.zeros(STATIONS, np.int64)
        self.engine = Engine(
            {
                "servers": (1 + drawn("servers", STATIONS, 4)).astype(np.int32),
                "fixed_ns": 100_000 + drawn("fixed", STATIONS, 400_000),
                "ps_per_byte": 1_000 + drawn("rate", STATIONS, 9_000),
                "after_ns": drawn("after", STATIONS, 2_000_000),
                "buffer_bytes": spill,
                "spill_fixed_ns": zero + 50_000,
                "spill_ps_per_byte": zero + 2_000,
                "discipline": np.full(STATIONS, discipline, np.int8),
                "processes": (np.arange(STATIONS) % 7 == 0).astype(np.int8),
            },
            np.where(np.arange(NODES) % 6 == 0, 4_000_000, -1),
            np.full(NODES, 1_000_000, np.int64),
            chunk_bytes=chunk_bytes,
            retries_max=20,
            backoff_ns=1_000_000,
            backoff_ns_max=100_000_000,
        )
        source = drawn("source", PAIRS, NODES)
        self._ends = (
            source.astype(np.int32),
            ((source + 1 + drawn("target", PAIRS, NODES - 1)) % NODES).astype(np.int32),
        )
        self.at_ns = np.cumsum(drawn("gaps", EXCHANGES, 2 * GAP_NS))
        self._routes: dict[int, list[int]] = {}
        self.lost = 0

    def submit(self) -> None:
        """Hand over all exchanges."""
        chosen = drawn("pairs", EXCHANGES, PAIRS)
        pair = np.empty(EXCHANGES, np.int32)
        self.engine.pairs(self._ends[0][chosen], self._ends[1][chosen], pair)
        payload = 2_000 + drawn("bytes", EXCHANGES, 60_000)
        self.engine.submit(self.at_ns, pair, payload, drawn("classes", EXCHANGES, 8).astype(np.int8))

    def run(self, until_ns: int = FAR_NS) -> None:
        """Let time pass, binding three ways to each pair that wants some."""
        while (how := self.engine.run(until_ns, 100_000)) != Run.DONE:
            if how == Run.WANTS_WAYS:
                for pair, source, target in self.engine.wanted(until_ns):
                    self.engine.bind(pair, self._ways(source, target), [5, 3, 1])

    def steps(self) -> Iterator[int]:
        """Twenty instants from the first exchange to after the last."""
        yield from np.linspace(0, int(self.at_ns[-1]) * 1.2, 21).astype(np.int64)[1:].tolist()

    def delivered(self) -> bool:
        """Whether each exchange was delivered; none was refused."""
        at_ns, refusal, retries = (
            np.empty(EXCHANGES, np.int64),
            np.empty(EXCHANGES, np.int8),
            np.empty(EXCHANGES, np.int32),
        )
        self.engine.outcome(at_ns, refusal, retries)
        return bool((at_ns > self.at_ns).all())

    def _ways(self, source: int, target: int) -> list[int]:
        key = source * NODES + target
        if key not in self._routes:
            ways = [drawn(f"way {key} {way}", 4 + (key + way) % 5, STATIONS).tolist() for way in range(3)]
            self._routes[key] = [self.engine.intern(tuple(dict.fromkeys(way))) for way in ways]
        return self._routes[key]


def replay(discipline: int, **options: int) -> Callable[[], Callable[[], Drive]]:
    """All exchanges from the first to the last."""

    def prepare() -> Callable[[], Drive]:
        drive = Drive(discipline, **options)
        drive.submit()

        def act() -> Drive:
            drive.run()
            return drive

        return act

    return prepare


def feeding() -> Callable[[], Drive]:
    """Pairs, exchanges and the ways that they want."""
    drive = Drive(FIFO)

    def act() -> Drive:
        drive.submit()
        for pair, source, target in drive.engine.wanted(FAR_NS):
            drive.engine.bind(pair, drive._ways(source, target), [5, 3, 1])
        drive.engine.reroute()
        return drive

    return act


def faults() -> Callable[[], Drive]:
    """At each step twelve stations stop and those before return; others get other rates and servers."""
    drive = Drive(FIFO)
    drive.submit()

    def act() -> Drive:
        before = np.empty(0, np.int32)
        for step, until_ns in enumerate(drive.steps()):
            drive.run(until_ns)
            drive.engine.set_up(before, np.ones(len(before), np.uint8))
            before = np.unique(drawn(f"stops {step}", 12, STATIONS)).astype(np.int32)
            drive.engine.set_up(before, np.zeros(len(before), np.uint8))
            some = np.unique(drawn(f"changes {step}", 20, STATIONS)).astype(np.int32)
            drive.engine.set_service(some, 100_000 + drawn(f"f{step}", len(some), 400_000), np.full(len(some), 5_000))
            drive.engine.set_servers(some, (1 + drawn(f"s{step}", len(some), 4)).astype(np.int32))
        drive.engine.set_up(before, np.ones(len(before), np.uint8))
        drive.run()
        return drive

    return act


def particles() -> Callable[[], tuple[int, int]]:
    """At each step 500 test particles, collected at the next one."""
    drive = Drive(PRIORITY)
    drive.submit()

    def act() -> tuple[int, int]:
        sent = came = 0
        for step, until_ns in enumerate([*drive.steps(), FAR_NS]):
            drive.run(until_ns)
            number, received_ns = np.empty(drive.engine.ended, np.int64), np.empty(drive.engine.ended, np.int64)
            drive.engine.collect(number, received_ns)
            came += int((received_ns >= 0).sum())
            if until_ns < FAR_NS:
                stations = (np.arange(500)[:, None] * 7 + np.array([0, 3, 11, 40, 95]) + step) % STATIONS
                start = np.arange(0, 2_501, 5, dtype=np.int64)
                drive.engine.send(
                    start, stations.reshape(-1).astype(np.int32), np.full(500, 200), np.zeros(500, np.int8)
                )
                sent += 500
        return sent, came

    return act


def snapshots() -> Callable[[], Drive]:
    """A look at all stations, 200 times, in the middle of a replay."""
    drive = Drive(FIFO)
    drive.submit()
    drive.run(int(drive.at_ns[-1]) // 2)
    table = np.empty((6, STATIONS), np.int64)

    def act() -> Drive:
        for _ in range(200):
            drive.engine.snapshot(table)
        drive.lost = int(table[2].sum())  # visits that the looks saw
        return drive

    return act


def parts(salt: str) -> TableParts:
    """A table of 30 groups of endpoints with two homes each, three ways a pair of groups."""
    groups, ways = 30, 3
    endpoints = 2 * groups
    rows = groups * groups
    homes = np.repeat(np.arange(groups), 2)
    return TableParts(
        station_count=4_000,
        group_count=groups,
        node_group=np.concatenate((homes, np.full(groups, -1))),
        node_station=np.arange(endpoints + groups),
        access_start=np.concatenate((np.arange(endpoints + 1), np.full(groups, endpoints))),
        access_home=endpoints + homes,
        access_out=200 + np.arange(endpoints),
        access_in=300 + np.arange(endpoints),
        class_layer=np.zeros(8, np.int64),
        cell=np.arange(rows).reshape(1, groups, groups),
        row_start=np.arange(0, ways * rows + 1, ways),
        weight=1 + drawn(f"weights {salt}", ways * rows, 9),
        trunk=np.arange(ways * rows),
        trunk_first=np.repeat(endpoints + np.repeat(np.arange(groups), groups), ways),
        trunk_last=np.repeat(endpoints + np.tile(np.arange(groups), groups), ways),
        trunk_start=np.arange(0, 5 * ways * rows + 1, 5),
        trunk_station=400 + drawn(f"stations {salt}", 5 * ways * rows, 3_000),
    )


class Asked:
    """Exchanges to ask a table for."""

    def __init__(self, count: int) -> None:
        self.table = RouteTable(parts("one"))
        self.source = drawn("from", count, 60).astype(np.int32)
        self.target = ((self.source + 1 + drawn("to", count, 59)) % 60).astype(np.int32)
        self.priority = drawn("class", count, 8).astype(np.int8)
        self.exchange_id = drawn("ids", count, 10**9)
        self.out = np.empty(count, np.int32)
        self.down = np.zeros(4_000, np.uint8)
        self.down[400 + drawn("down", 300, 3_000)] = 1

    def rows(self) -> list[list[int]]:
        """Each exchange as Python's own integers."""
        columns = (self.source, self.target, self.priority, self.exchange_id)
        return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def one_by_one() -> Callable[[], int]:
    asked = Asked(5_000)
    rows, lookup = asked.rows(), asked.table.lookup
    return lambda: sum(lookup(*row) is not None for row in rows)


def one_by_one_live() -> Callable[[], int]:
    asked = Asked(5_000)
    rows, lookup, down = asked.rows(), asked.table.lookup_live, asked.down
    return lambda: sum(lookup(*row, down) is not None for row in rows)


def batch(live: bool) -> Callable[[], Callable[[], NDArray[np.int32]]]:
    def prepare() -> Callable[[], NDArray[np.int32]]:
        asked = Asked(50_000)
        columns = (asked.source, asked.target, asked.priority, asked.exchange_id)
        down = asked.down if live else None
        return lambda: asked.table.lookup_many(*columns, out=asked.out, down=down)

    return prepare


def publishing() -> Callable[[], int]:
    tables = [RouteTable(parts(salt)) for salt in ("one", "two")]
    current = CurrentTable(tables[0])

    def act() -> int:
        for turn in range(2_000):
            current.publish(tables[turn % 2])
            current.read()
        return current.epoch

    return act


def building() -> Callable[[], RouteTable]:
    made = parts("one")
    return lambda: RouteTable(made)


def spreading() -> Callable[[], int]:
    ids = drawn("ids", 20_000, 10**12).tolist()
    return lambda: sum(spread(number, 5, 97) for number in ids)


WORKS = (
    Work("spread", spreading, lambda total: 0 < total < 20_000 * 97),
    Work("engine.fifo", replay(FIFO), Drive.delivered),
    Work("engine.chunks", replay(FIFO, chunk_bytes=8_192), Drive.delivered),
    Work("engine.priority", replay(PRIORITY), Drive.delivered),
    Work("engine.sharing", replay(SHARING), Drive.delivered),
    Work("engine.faults", faults, Drive.delivered),
    Work("engine.particles", particles, lambda counts: counts[0] == counts[1] == 10_000),
    Work("engine.feeding", feeding, lambda drive: drive.engine.handed_over == EXCHANGES),
    Work("engine.snapshots", snapshots, lambda drive: drive.lost > EXCHANGES),
    Work("table.lookup", one_by_one, lambda found: found == 5_000),
    Work("table.lookup_live", one_by_one_live, lambda found: 0 < found <= 5_000),
    Work("table.batch", batch(live=False), lambda out: (out >= 0).all()),
    Work("table.batch_live", batch(live=True), lambda out: (out >= 0).sum() > 0),
    Work("table.publish", publishing, lambda epoch: epoch >= 2_000),
    Work("table.build", building, lambda table: table.route_count == 2_700),
)


def main(marks: str | None = None) -> None:
    """Do each piece of work between two marks, and assert that it was done."""
    library = ctypes.CDLL(marks) if marks is not None else None
    for work in WORKS:
        act = work.prepare()
        if library is not None:
            library.gate_begin()
        result = act()
        if library is not None:
            library.gate_end(work.name.encode())
        assert work.check(result), f"{work.name}: the work was not done"


if __name__ == "__main__":
    main(*sys.argv[1:])
