"""One failure at one moment: the hours around it lived with it and without, exchange by exchange."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from router_core.units import SECOND_NS
from router_core.vocabulary import Mode
from sim.completion import QUANTILES, exact_sum, percentile
from sim.data_plane import Refusal
from sim.faults import Fault, FaultKind
from sim.replay import Lived
from sim.studies.case import Case, live_case, platform_of
from sim.studies.survival.cut_off import reach_of
from sim.studies.survival.elements import Failure
from sim.studies.survival.normal import Bounds, Course, time_until_normal
from sim.studies.survival.window import Span

P99: Final = QUANTILES["p99_ns"]


@dataclass(frozen=True)
class Moment:
    """An hour and a seed: what every failure is held against.

    Attributes
    ----------
    case : Case
        On the window's trace, without faults.
    at : str
        Local time at which failures begin, ISO.
    span : Span
    baseline : Path
        Where the run without faults is kept.
    """

    case: Case
    at: str
    span: Span
    baseline: Path


@dataclass(frozen=True)
class Trial:
    """A failure at a moment, and what counts as late and as normal."""

    moment: Moment
    failure: Failure
    bounds: Bounds


@dataclass(frozen=True)
class Harm:
    """What a failure did, against the same hours without it.

    Only exchanges count that it could touch: under way when it began, or submitted from then on to the window's end.

    Attributes
    ----------
    exchanges : int
        How many these are.
    refused, undelivered : int
        Given up or refused, and not delivered when the run ended, but delivered without the failure.
    late, sooner : int
        Delivered later, and sooner, than without it by more than the bound.
    later_s, sooner_s : float
        Sum of all delays and of all gains, however small [s].
    missed : int
        Deadlines missed that were met without it.
    retried : int
        Exchanges with more retries than without it.
    elsewhere : float
        Visits of stations, while it lasted, beyond those that the same stations had without it, as a share of all.
    p99_ns, p99_query_ns : int or None
        99th percentile of completion [ns]; None where nothing was delivered. `base_` without the failure.
    normal_s : float
        From its beginning until all was normal for good [s] (`time_until_normal`).
    after_return_s : float
        The same from its end, 0 if all was normal by then [s].
    normal : bool
        Whether that was seen; if not, these times are lower bounds.
    cut_pairs : int
        Pairs that exchanged something while it lasted and had no way left.
    cut_exchanges : int
        What they exchanged.
    cut_hurt : int
        How many of these were late or lost: no policy helps there.
    """

    exchanges: int
    refused: int
    undelivered: int
    late: int
    sooner: int
    later_s: float
    sooner_s: float
    missed: int
    retried: int
    elsewhere: float
    p99_ns: int | None
    base_p99_ns: int | None
    p99_query_ns: int | None
    base_p99_query_ns: int | None
    normal_s: float
    after_return_s: float
    normal: bool
    cut_pairs: int
    cut_exchanges: int
    cut_hurt: int

    @property
    def lost(self) -> int:
        """Refused, given up, or never delivered."""
        return self.refused + self.undelivered


@dataclass(frozen=True, eq=False)
class Baseline:
    """What a run leaves that failures are held against.

    Attributes
    ----------
    delivered_ns : int64 (n,)
    refused, missed : bool (n,)
    retries : int32 (n,)
    visits : int64 (S,)
        Services that began at each station while the failure would have lasted.
    """

    delivered_ns: NDArray[np.int64]
    refused: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    retries: NDArray[np.int32]
    visits: NDArray[np.int64]


def live_baseline(moment: Moment) -> dict[str, float | None]:
    """Live a moment without faults, keep what failures are held against, and return what is told of it."""
    lived = live_case(moment.case)
    found = _left(lived, moment)
    draft = moment.baseline.with_name(f"{moment.baseline.name}.part.npz")
    np.savez(draft, **vars(found))
    draft.replace(moment.baseline)
    counted = _counted(lived, found, moment.span)
    p99_ns = _p99(lived.record.exchanges.submitted_ns, found.delivered_ns, counted)
    return {
        "exchanges": int(counted.sum()),
        "refused": int((counted & found.refused).sum()),
        "undelivered": int((counted & ~found.refused & (found.delivered_ns < 0)).sum()),
        "missed": int((counted & found.missed).sum()),
        "p99_s": None if p99_ns is None else p99_ns / SECOND_NS,
    }


@lru_cache(maxsize=4)
def _kept(path: Path) -> Baseline:
    with np.load(path) as columns:
        return Baseline(**{name: columns[name] for name in columns.files})


def try_failure(trial: Trial) -> Harm:
    """Live a moment with a failure, and return what it did."""
    moment, failure = trial.moment, trial.failure
    lived = live_case(replace(moment.case, faults=faults_of(failure, moment.span)))
    return harm(trial, lived, _kept(moment.baseline))


def faults_of(failure: Failure, span: Span) -> tuple[Fault, ...]:
    """Return a failure as faults of a window."""
    stop = Fault(FaultKind.STOP, failure.stations, span.lead_ns, span.until_ns)
    pools = (Fault(FaultKind.POOL, (), span.lead_ns, span.until_ns, pool=pool) for pool in failure.pools)
    return (*((stop,) if failure.stations else ()), *pools)


def harm(trial: Trial, lived: Lived, base: Baseline) -> Harm:
    """Hold a run with a failure against the one without it; both have the same exchanges, row by row."""
    span, late_by_ns = trial.moment.span, trial.bounds.late_by_ns
    rows, outcome = lived.record.exchanges, lived.record.outcome
    counted = _counted(lived, base, span)
    came, came_before = outcome.delivered_ns >= 0, base.delivered_ns >= 0
    refused = outcome.refusal != Refusal.NOT_REFUSED
    lost = counted & ~came & came_before
    both = counted & came & came_before
    later_ns = np.where(both, outcome.delivered_ns - base.delivered_ns, 0)
    late, sooner = later_ns > late_by_ns, -later_ns > late_by_ns
    visits = _visits(lived, trial.moment)
    before = int(base.visits.sum())
    normal_ns, seen = time_until_normal(
        Course(rows.submitted_ns, outcome.delivered_ns, refused),
        Course(rows.submitted_ns, base.delivered_ns, base.refused),
        late | lost,
        sooner,
        span,
        trial.bounds,
    )
    cut_pairs, cut = _cut(trial, rows)
    query = counted & (rows.mode == Mode.QUERY)
    return Harm(
        exchanges=int(counted.sum()),
        refused=int((lost & refused).sum()),
        undelivered=int((lost & ~refused).sum()),
        late=int(late.sum()),
        sooner=int(sooner.sum()),
        later_s=exact_sum(np.maximum(later_ns, 0)) / SECOND_NS,
        sooner_s=exact_sum(np.maximum(-later_ns, 0)) / SECOND_NS,
        missed=int((counted & lived.done.missed & ~base.missed).sum()),
        retried=int((counted & (outcome.retries > base.retries)).sum()),
        elsewhere=int(np.maximum(visits - base.visits, 0).sum()) / before if before else 0.0,
        p99_ns=_p99(rows.submitted_ns, outcome.delivered_ns, counted),
        base_p99_ns=_p99(rows.submitted_ns, base.delivered_ns, counted),
        p99_query_ns=_p99(rows.submitted_ns, outcome.delivered_ns, query),
        base_p99_query_ns=_p99(rows.submitted_ns, base.delivered_ns, query),
        normal_s=normal_ns / SECOND_NS,
        after_return_s=max(0, normal_ns - span.lasts_ns) / SECOND_NS,
        normal=seen,
        cut_pairs=cut_pairs,
        cut_exchanges=int(cut.sum()),
        cut_hurt=int((cut & (late | lost)).sum()),
    )


def _left(lived: Lived, moment: Moment) -> Baseline:
    outcome = lived.record.outcome
    return Baseline(
        outcome.delivered_ns,
        outcome.refusal != Refusal.NOT_REFUSED,
        lived.done.missed,
        outcome.retries,
        _visits(lived, moment),
    )


def _counted(lived: Lived, base: Baseline, span: Span) -> NDArray[np.bool_]:
    """Whom a failure could touch, by the run without it, so that the two runs count the same exchanges."""
    submitted_ns = lived.record.exchanges.submitted_ns
    under_way = (base.delivered_ns >= span.lead_ns) | ((base.delivered_ns < 0) & ~base.refused)
    return np.asarray((submitted_ns >= span.lead_ns) | under_way)


def _visits(lived: Lived, moment: Moment) -> NDArray[np.int64]:
    """Services that began at each station in the slots that began while the failure lasts, (S,)."""
    series, span = lived.record.series, moment.span
    began_ns = series.edge_ns[:-1]
    kept = ((began_ns >= span.lead_ns) & (began_ns < span.until_ns))[series.rows.slot]
    stations = platform_of(moment.case.scenario, moment.case.changes).network.station_count
    result: NDArray[np.int64] = np.zeros(stations, dtype=np.int64)
    np.add.at(result, series.rows.station[kept], series.rows.served[kept])
    return result


def _p99(submitted_ns: NDArray[np.int64], delivered_ns: NDArray[np.int64], rows: NDArray[np.bool_]) -> int | None:
    took_ns = np.sort((delivered_ns - submitted_ns)[rows & (delivered_ns >= 0)])
    return percentile(took_ns, P99) if len(took_ns) else None


def _cut(trial: Trial, rows: Exchanges) -> tuple[int, NDArray[np.bool_]]:
    """How many pairs that exchange something while the failure lasts have no way left, and which rows are theirs."""
    case, span = trial.moment.case, trial.moment.span
    network = platform_of(case.scenario, case.changes).network
    result = np.zeros(len(rows), dtype=np.bool_)
    during = np.flatnonzero((rows.submitted_ns >= span.lead_ns) & (rows.submitted_ns < span.until_ns))
    key = rows.source[during].astype(np.int64) * network.node_count + rows.target[during]
    pair, of_pair = np.unique(key, return_inverse=True)
    down = np.zeros(network.station_count, dtype=np.bool_)
    down[list(trial.failure.stations)] = True
    source, target = np.divmod(pair, network.node_count)
    cut = reach_of(network).cut(source.astype(np.int32), target.astype(np.int32), down)
    result[during] = cut[of_pair]
    return int(cut.sum()), result
