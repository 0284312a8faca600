"""The study on one screen: every failure at every hour and seed, each against the same hours without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from router_core.errors import BadInputError
from router_core.units import MINUTE_NS
from sim.studies.case import BrainChoice, Case, check_brain, platform_of
from sim.studies.survival.elements import USUAL, Element, Failure, Pairs, elements_of, pairs_of, singles
from sim.studies.survival.normal import Bounds
from sim.studies.survival.trial import Harm, Moment, Trial, live_baseline, try_failure
from sim.studies.survival.window import Span, WindowOrder, busiest_ns, cut_window, local_time, moment_ns
from sim.studies.traffic import DrawnTrace, Traffic, checked, drawn
from sim.workers.workers import Workers
from traces.reader import TraceReader

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SurviveSpec:
    """What is asked.

    Attributes
    ----------
    scenario : str
    brain : BrainChoice
    traffic : Traffic
    changes : tuple of str
    kinds : tuple of str
        Keys of `KINDS`.
    pairs : int or None
        How many pairs are drawn; None: all of them.
    at : tuple of str
        Hours at which failures begin; none: the busiest of the first trace.
    seeds : tuple of int
        Of the world's streams, and of drawn traces; given traces are taken in turn.
    span : Span
    bounds : Bounds
    """

    scenario: str
    brain: BrainChoice
    traffic: Traffic
    changes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = USUAL
    pairs: int | None = 0
    at: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1,)
    span: Span = field(default_factory=lambda: Span(15 * MINUTE_NS, 30 * MINUTE_NS, 30 * MINUTE_NS))
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True)
class Suffered:
    """What one failure did at every moment, in the order of the moments."""

    failure: Failure
    harms: tuple[Harm, ...]

    def mean(self, name: str) -> float:
        """Mean of a number of `Harm` over the moments; NaN where it is None at one of them."""
        values = [getattr(one, name) for one in self.harms]
        return float("nan") if None in values else float(np.mean(values))

    @property
    def late_share(self) -> float:
        """Mean share of the hour's exchanges that were late."""
        return float(np.mean([one.late / one.exchanges if one.exchanges else 0.0 for one in self.harms]))

    @property
    def always_normal(self) -> bool:
        """Whether it was seen at every moment that all became normal."""
        return all(one.normal for one in self.harms)

    @property
    def badness(self) -> tuple[float, float, float, float]:
        """By what failures are ranked: lost, late, missed deadlines, time until normal."""
        return tuple(self.mean(name) for name in ("lost", "late", "missed", "normal_s"))  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Survived:
    """The study's result.

    Attributes
    ----------
    spec : SurviveSpec
    elements : tuple of Element
    moments : tuple of Moment
        By hour, then by seed.
    baselines : tuple of dict
        What is told of each moment without failures.
    singles : tuple of Suffered
        In the order of the elements.
    pairs : Pairs
    paired : tuple of Suffered
        In the order of the pairs.
    """

    spec: SurviveSpec
    elements: tuple[Element, ...]
    moments: tuple[Moment, ...]
    baselines: tuple[dict[str, float | None], ...]
    singles: tuple[Suffered, ...]
    pairs: Pairs
    paired: tuple[Suffered, ...]

    @property
    def ranked(self) -> list[Suffered]:
        """Single failures, the worst first; equals in the order of the elements."""
        return ranked(self.singles)

    @property
    def hours(self) -> list[str]:
        """The hours at which failures begin, local time."""
        return list(dict.fromkeys(one.at for one in self.moments))


def ranked(suffered: tuple[Suffered, ...]) -> list[Suffered]:
    """Return them with the worst first: who loses more, then who delays more, misses more, takes longer."""
    return sorted(suffered, key=lambda one: tuple(-number for number in one.badness))


def survive(spec: SurviveSpec, workers: Workers, folder: Path, on_progress: OnProgress | None = None) -> Survived:
    """Let every failure happen.

    Parameters
    ----------
    spec : SurviveSpec
    workers : Workers
        No influence on results.
    folder : Path
        Where traces, windows and baselines are kept; all workers must reach it.
    on_progress : callable, optional
        Called with what is being done (``traces``, ``baselines``, ``failures``), how many are done, and of how many.

    Raises
    ------
    BadInputError
        If there is nothing to fail, an hour does not lie in a trace, or a trace or brain does not fit.
    """
    tell = on_progress or (lambda _what, _done, _count: None)
    network = platform_of(spec.scenario, spec.changes).network
    elements = elements_of(network, spec.kinds)
    if not elements:
        raise BadInputError("--kinds", "must name something that the scenario has", ", ".join(spec.kinds))
    check_brain(spec.brain, spec.scenario, spec.changes)
    pairs = pairs_of(elements, spec.pairs, spec.seeds[0])
    moments = _moments(spec, workers, folder, tell)

    def counted(what: str, count: int) -> Callable[[int, object], None]:
        done = 0

        def on_done(_index: int, _result: object) -> None:
            nonlocal done
            done += 1
            tell(what, done, count)

        return on_done

    baselines = workers.map(live_baseline, moments, counted("baselines", len(moments)))
    failures = (*singles(elements), *pairs.failures)
    # A moment's failures follow one another, so that a worker reads its trace and baseline once.
    trials = [Trial(moment, failure, spec.bounds) for moment in moments for failure in failures]
    harms = workers.map(try_failure, trials, counted("failures", len(trials)))
    suffered = [Suffered(failure, tuple(harms[place :: len(failures)])) for place, failure in enumerate(failures)]
    alone = len(elements)
    return Survived(
        spec, elements, tuple(moments), tuple(baselines), tuple(suffered[:alone]), pairs, tuple(suffered[alone:])
    )


def _moments(spec: SurviveSpec, workers: Workers, folder: Path, tell: OnProgress) -> list[Moment]:
    """Have the traces, cut the windows out of them, and return hours by seeds."""
    tell("traces", 0, 1)
    if spec.traffic.draw is None:
        checked(spec.traffic, spec.scenario, spec.changes)
        given = spec.traffic.traces
        traces = [given[place % len(given)] for place in range(len(spec.seeds))]
    else:
        draw = spec.traffic.draw
        orders = [DrawnTrace(folder, spec.scenario, spec.changes, draw, seed) for seed in spec.seeds]
        traces = workers.map(drawn, orders)
    with TraceReader(traces[0]) as reader:
        info = reader.info
    hours = [moment_ns(text, info, spec.span) for text in spec.at] or [busiest_ns(traces[0], spec.span)]
    hours = sorted(set(hours))
    wanted: dict[tuple[Path, str], WindowOrder] = {}
    moments = []
    for hour, at_ns in enumerate(hours):
        at = local_time(info, at_ns).isoformat(timespec="minutes")
        for place, (seed, trace) in enumerate(zip(spec.seeds, traces, strict=True)):
            with TraceReader(trace) as reader:
                of_trace_ns = moment_ns(at, reader.info, spec.span)
            order = WindowOrder(trace, of_trace_ns, spec.span, folder / f"window-{hour}-{place}.parquet")
            window = wanted.setdefault((trace, at), order).out
            case = Case(spec.scenario, window, spec.brain, seed, spec.changes)
            moments.append(Moment(case, at, spec.span, folder / f"baseline-{hour}-{place}.npz"))
    workers.map(cut_window, list(wanted.values()))
    tell("traces", 1, 1)
    return moments
