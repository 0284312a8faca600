"""`compare`: arms on the same traces and random numbers, replication by replication."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.platform import ChangedPlatform
from router_core.units import SECOND_NS
from sim.fault_file import read_faults
from sim.faults import Fault
from sim.studies.case import WORLD, Case, check_brain, live_case, platform_of
from sim.studies.comparison.arms import Arm
from sim.studies.comparison.precision import Precision, needed
from sim.studies.comparison.tails import tail_counts
from sim.studies.comparison.warm_up import start_of, warm_up_of, warm_ups
from sim.studies.measures import MEASURES, MODES, measure, measures
from sim.studies.paired import Effect, each_of, effect
from sim.studies.seeds import seeds_of
from sim.studies.traffic import DrawnTrace, Traffic, drawn
from sim.workers import Workers, tell
from traces.reader import TraceReader
from traces.validate import open_valid

DEFAULT_MEASURES: Final = ("p99.query", "p99.all")
# News of a replay travel through a mailbox; a bar has no finer steps.
_STEPS: Final = 50
# A measure, so it is to be looked at.

Floats = NDArray[np.float64]
OnProgress = Callable[[str, float, int, int], None]


@dataclass(frozen=True)
class Replications:
    """How many replications: `least`, or so many as `precision` takes, up to `most`.

    Attributes
    ----------
    least : int
        >= 1; with a precision the size of the pilot, >= 2.
    most : int
        >= least; equal to it without a precision.
    precision : Precision or None
    """

    least: int
    most: int
    precision: Precision | None = None

    def __post_init__(self) -> None:
        if self.precision is not None and self.least < 2:
            raise BadInputError("--seeds-min", "must be at least 2, to see how far values spread", self.least)
        if not 1 <= self.least <= self.most:
            raise BadInputError("--seeds-max", f"must be at least --seeds-min, {self.least}", self.most)


@dataclass(frozen=True)
class CompareOrder:
    """What is to be compared, on what, how surely.

    Attributes
    ----------
    scenario : str
    arms : tuple of Arm
        At least two; the first is the base.
    traffic : Traffic
    measures : tuple of str
        What the verdict speaks of; empty: p99 of queries, or of all exchanges where there are no queries.
    replications : Replications
    confidence : float
        Of all intervals that the verdict speaks of, together; 0 < confidence < 1.
    seed : int
        What the replications' seeds are drawn from.
    warm_up_ns : int or None
        None: found from the runs.
    """

    scenario: str
    arms: tuple[Arm, ...]
    traffic: Traffic
    measures: tuple[str, ...]
    replications: Replications
    confidence: float = 0.95
    seed: int = 1
    warm_up_ns: int | None = None

    def __post_init__(self) -> None:
        if len(self.arms) < 2:
            raise BadInputError("--brain", "a comparison has at least two arms", len(self.arms))
        if not 0.5 <= self.confidence < 1.0:
            raise BadInputError("--confidence", "must be at least 0.5 and below 1", self.confidence)
        if len(set(self.measures)) < len(self.measures):
            raise BadInputError("--measure", "must not be repeated with the same measure", ", ".join(self.measures))
        for name in self.measures:
            measure(name)


@dataclass(frozen=True)
class Replication:
    """A seed, and the trace that each arm meets under it; arms share a file unless their scenarios differ."""

    seed: int
    traces: tuple[Path, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """What was found.

    Attributes
    ----------
    order : CompareOrder
    measures : tuple of str
        What the verdict speaks of.
    replications : tuple of Replication
    pilot : int or None
        From how many of them their number was chosen, if it was.
    precise : bool or None
        Whether the wanted precision was reached; None if none was wanted.
    warm_up_ns : int
    warm_up_found : bool
        Whether it was found from the runs.
    values : dict of str to float64 (A, n)
        Of each measure, by arm and replication; NaN where nothing was delivered that it speaks of.
    effects : dict of str to tuple of (Effect or None), length A - 1
        Of each measure, of each arm but the base. Those of `measures` hold together with the order's confidence, the
        others each by itself.
    lost : tuple of Effect, length A - 1
        Of exchanges that were refused or not delivered: percentiles do not speak of them.
    tails : dict of str to int64 (A, T)
        By delivery mode: exchanges of all replications above each of `sim.studies.comparison.tails.EDGES_NS`.
    """

    order: CompareOrder
    measures: tuple[str, ...]
    replications: tuple[Replication, ...]
    pilot: int | None
    precise: bool | None
    warm_up_ns: int
    warm_up_found: bool
    values: dict[str, Floats]
    effects: dict[str, tuple[Effect | None, ...]]
    lost: tuple[Effect, ...]
    tails: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class _Run:
    """One replay, as a worker gets it."""

    case: Case
    span_ns: int
    warm_ups_ns: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Lived:
    """What a worker tells of a replay: measures and tails for each warm-up that may be chosen, and its start."""

    values: tuple[dict[str, float], ...]
    tails: tuple[dict[str, NDArray[np.int64]], ...]
    start: Floats


def compare(order: CompareOrder, workers: Workers, folder: Path, on_progress: OnProgress) -> Compared:
    """Live all arms under all seeds and compare.

    Parameters
    ----------
    order : CompareOrder
    workers : Workers
    folder : Path
        Where drawn traces are kept; workers must reach it.
    on_progress : callable
        Called with what is done (``traces``, ``replays``), the share done, how many are done and of how many.

    Raises
    ------
    BadInputError
        If a file cannot be read or does not fit, or traffic cannot be drawn, naming which.
    """
    return _Comparison(order, workers, folder, on_progress).run()


class _Comparison:
    """The stages of one comparison."""

    def __init__(self, order: CompareOrder, workers: Workers, folder: Path, on_progress: OnProgress) -> None:
        self._order = order
        self._workers = workers
        self._folder = folder
        self._on_progress = on_progress
        self._replications: list[Replication] = []
        self._lived: list[list[_Lived]] = [[] for _ in order.arms]

    def run(self) -> Compared:
        """See `compare`."""
        order, wanted = self._order, self._order.replications
        self._check()
        self._span_ns, faults = self._spans_and_faults()
        asked = order.warm_up_ns
        if asked is not None and asked >= self._span_ns:
            raise BadInputError(
                "--warm-up-s", f"must be shorter than the trace, {self._span_ns / SECOND_NS:g} s", asked / SECOND_NS
            )
        choices = warm_ups(self._span_ns) if asked is None else (asked,)
        self._live(wanted.least, faults, choices)
        chosen = asked if asked is not None else self._warm_up()
        self._keep(choices.index(chosen))
        names = self._measures()
        pilot = precise = None
        if wanted.precision is not None:
            pilot, count = wanted.least, self._needed(names, wanted.precision, wanted.most)
            self._live(count, faults, (chosen,))
            precise = self._reached(names, wanted.precision, pilot)
        return self._compared(names, chosen, pilot, precise)

    def _check(self) -> None:
        """Refuse what can be refused before minutes are spent: scenarios, brains, every row of given traces."""
        order = self._order
        variants = list(dict.fromkeys(arm.changes for arm in order.arms))
        for changes in variants:
            platform = platform_of(order.scenario, changes)
            factors = platform.demand_factor if isinstance(platform, ChangedPlatform) else ()
            if order.traffic.draw is None and any(factor != 1.0 for factor in factors):
                rule = "a change of demand takes drawn traffic, --start: a trace that is given stays as it is"
                raise BadInputError("change", rule, ", ".join(changes))
        for arm in order.arms:
            check_brain(arm.brain, order.scenario, arm.changes)
        checks = [(trace, order.scenario, changes) for trace in order.traffic.traces for changes in variants]
        self._told("traces", self._workers.map, _checked, checks)

    def _spans_and_faults(self) -> tuple[int, list[tuple[Fault, ...]]]:
        order = self._order
        span_ns = min((_span_ns(trace) for trace in order.traffic.traces), default=0)
        if order.traffic.draw is not None:
            span_ns = round(order.traffic.draw.span.total_seconds() * SECOND_NS)
        faults = [
            ()
            if arm.faults is None
            else read_faults(arm.faults, platform_of(order.scenario, arm.changes).network, span_ns)
            for arm in order.arms
        ]
        return span_ns, faults

    def _live(self, count: int, faults: list[tuple[Fault, ...]], choices: tuple[int, ...]) -> None:
        """Live the replications up to so many that were not lived yet."""
        order, begin = self._order, len(self._replications)
        fresh = self._traces(seeds_of(order.seed, count)[begin:])
        self._replications += fresh
        # An arm after the other: a process keeps few platforms and brains.
        arms = sorted(range(len(order.arms)), key=lambda place: order.arms[place].weight)
        turns = [(place, one) for place in arms for one in fresh]
        runs = [
            _Run(
                Case(
                    order.scenario,
                    one.traces[place],
                    order.arms[place].brain,
                    one.seed,
                    order.arms[place].changes,
                    WORLD,
                    faults=faults[place],
                ),
                self._span_ns,
                choices,
            )
            for place, one in turns
        ]
        for (place, _), lived in zip(turns, self._told("replays", self._workers.map, _live_run, runs), strict=True):
            self._lived[place].append(lived)

    def _traces(self, seeds: Sequence[int]) -> list[Replication]:
        """Return replications with these seeds: traces in turn, or each drawn with its seed."""
        order = self._order
        if order.traffic.draw is None:
            given, begin = order.traffic.traces, len(self._replications)
            paths = [[given[(begin + place) % len(given)]] * len(order.arms) for place in range(len(seeds))]
        else:
            orders = [
                [DrawnTrace(self._folder, order.scenario, arm.changes, order.traffic.draw, seed) for arm in order.arms]
                for seed in seeds
            ]
            paths = [[one.path for one in row] for row in orders]
            # Two arms on one scenario ask for the same file: one process draws it.
            distinct = {one.path: one for row in orders for one in row}
            self._told("traces", self._workers.map, drawn, list(distinct.values()))
        digests = {path: _digest(path) for path in {path for row in paths for path in row}}
        return [
            Replication(seed, tuple(row), tuple(digests[path] for path in row))
            for seed, row in zip(seeds, paths, strict=True)
        ]

    def _told(self, what: str, apply: Any, f: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Map, and tell how far it is."""
        shares = np.zeros(len(items))

        def news(index: int, share: float) -> None:
            shares[index] = max(shares[index], share)
            self._on_progress(what, float(shares.mean()), int((shares >= 1.0).sum()), len(items))

        results: list[Any] = apply(f, items, lambda index, _: news(index, 1.0), news) if items else []
        return results

    def _warm_up(self) -> int:
        """Return the warm-up of all arms: of the one that takes longest."""
        return max(warm_up_of([one.start for one in arm], self._span_ns) for arm in self._lived)

    def _keep(self, place: int) -> None:
        """Forget what was measured for other warm-ups."""
        for arm in self._lived:
            arm[:] = [_Lived(one.values[place : place + 1], one.tails[place : place + 1], one.start) for one in arm]

    def _values(self, name: str) -> Floats:
        return np.array([[one.values[0][name] for one in arm] for arm in self._lived])

    def _measures(self) -> tuple[str, ...]:
        """Return what the verdict speaks of."""
        if self._order.measures:
            return self._order.measures
        whole = (name for name in DEFAULT_MEASURES if np.isfinite(self._values(name)).all())
        return (next(whole, DEFAULT_MEASURES[-1]),)

    def _each(self, names: Sequence[str]) -> float:
        """Return the confidence of each interval that the verdict speaks of."""
        return each_of(self._order.confidence, len(names) * (len(self._order.arms) - 1))

    def _needed(self, names: Sequence[str], precision: Precision, most: int) -> int:
        pairs = []
        for name in names:
            base, *others = self._values(name)
            pairs += [(base, other) for other in others]
        return needed(pairs, precision, self._each(names), most)

    def _reached(self, names: Sequence[str], precision: Precision, pilot: int) -> bool:
        for name in names:
            for one in self._effects(name, self._each(names), pilot):
                if one is None:
                    return False
                if not precision.relative:
                    width = one.difference.half_width
                elif one.change is not None:
                    assert one.change.low is not None
                    assert one.change.high is not None
                    width = (math.log1p(one.change.high) - math.log1p(one.change.low)) / 2
                else:
                    width = 0.0 if one.equal == one.pairs else None
                if width is None or width > precision.half_width * (1.0 + 1e-9):
                    return False
        return True

    def _effects(self, name: str, confidence: float, pilot: int | None) -> tuple[Effect | None, ...]:
        base, *others = self._values(name)
        return tuple(effect(base, other, confidence, pilot) for other in others)

    def _compared(self, names: tuple[str, ...], warm_up_ns: int, pilot: int | None, precise: bool | None) -> Compared:
        order = self._order
        effects = {
            name: self._effects(name, self._each(names), pilot)
            if name in names
            else self._effects(name, order.confidence, None)
            for name in MEASURES
        }
        base, *others = self._values("refused") + self._values("undelivered")
        lost = [effect(base, other, order.confidence) for other in others]
        return Compared(
            order=order,
            measures=names,
            replications=tuple(self._replications),
            pilot=pilot,
            precise=precise,
            warm_up_ns=warm_up_ns,
            warm_up_found=order.warm_up_ns is None,
            values={name: self._values(name) for name in MEASURES},
            effects=effects,
            lost=tuple(one for one in lost if one is not None),  # counts are finite
            tails={mode: np.array([sum(one.tails[0][mode] for one in arm) for arm in self._lived]) for mode in MODES},
        )


def _live_run(run: _Run) -> _Lived:
    """Live a case and measure it where it was lived: what is told is small."""
    told = 0

    def progress(share: float) -> None:
        nonlocal told
        if share * _STEPS >= told + 1:
            told = int(share * _STEPS)
            tell(min(share, 0.999))  # it is done when its measures are

    lived = live_case(run.case, progress)
    return _Lived(
        values=tuple(measures(lived, one) for one in run.warm_ups_ns),
        tails=tail_counts(lived, run.warm_ups_ns),
        start=start_of(lived, run.span_ns),
    )


def _checked(check: tuple[Path, str, tuple[str, ...]]) -> None:
    trace, scenario, changes = check
    open_valid(trace, platform_of(scenario, changes)).close()


def _span_ns(trace: Path) -> int:
    with TraceReader(trace) as reader:
        return reader.info.span_ns


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
