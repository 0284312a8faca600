"""Why a pair went the ways it went at an instant: what was known then, how old it was, and what alternatives cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.units import MINUTE_NS
from router_core.vocabulary import StationRole
from sim.decision_log import read_decisions
from sim.policy_folder import has_policies, read_policies
from sim.policy_table import NEVER_S, PolicyTable, StationStates
from sim.result_folder import read_metrics, read_network, read_run
from sim.results import NetworkTable, Run, word
from strategies.decision import Decision, DecisionKind, Reason, Trust

BEFORE_NS: Final = 60 * MINUTE_NS
AFTER_NS: Final = 10 * MINUTE_NS
DECISIONS_MAX: Final = 20
NEAR_MAX: Final = 4
LINE: Final = word(StationRole.LINE)


@dataclass(frozen=True)
class StationKnown:
    """One station of a way, and what was known of it when the policy came into force.

    Attributes
    ----------
    name : str
    stay_ns : float
        Expected time from arrival there to arrival at the next [ns].
    utilisation, loss, confidence : float
    age_s : float or None
        Of the newest observation [s]; None if there was none.
    identified, up : bool
    """

    name: str
    stay_ns: float
    utilisation: float
    loss: float
    confidence: float
    age_s: float | None
    identified: bool
    up: bool


@dataclass(frozen=True)
class Way:
    """One way of the pair.

    Attributes
    ----------
    share : float
        Of the pair's exchanges; 0 of an alternative.
    delay_ns : float
        Expected from the source's own station to the target's, both included [ns].
    difference_ns : float or None
        How much longer than the pair's mean; None if a station is lost, or the pair uses no way.
    busiest : StationKnown
    oldest_s : float or None
        Greatest age of the newest observation of a station [s], of those that were seen; None if none was.
    unseen : int
        Stations of which there was no observation.
    least_confidence : float
    lost : tuple of str
        Stations that do not work, as far as was known.
    stations : tuple of StationKnown
        In order.
    """

    share: float
    delay_ns: float
    difference_ns: float | None
    busiest: StationKnown
    oldest_s: float | None
    unseen: int
    least_confidence: float
    lost: tuple[str, ...]
    stations: tuple[StationKnown, ...]


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is to say of a pair at an instant.

    Attributes
    ----------
    run : Run
    brain, source, target : str
    at, since, until : datetime
        The instant; since when the policy was in force, and until when.
    reason : Reason
        Why it came into force.
    trust : Trust
        What it went by.
    split_since : datetime
        Since when the pair's shares were these.
    split_reason : Reason
    delay_ns : float or None
        Mean over the pair's exchanges [ns]; None if it uses no way.
    ways : tuple of Way
        Those in use by share, then alternatives by delay, then those with lost stations.
    share_within, state_within : float
        How exactly the policy was stored (`PolicyTable`).
    decisions : tuple of Decision
        Those around the instant that name the pair, its ways or nothing in particular; in order.
    decisions_left_out : int
        Further ones of that kind.
    """

    run: Run
    brain: str
    source: str
    target: str
    at: datetime
    since: datetime
    until: datetime
    reason: Reason
    trust: Trust
    split_since: datetime
    split_reason: Reason
    delay_ns: float | None
    ways: tuple[Way, ...]
    share_within: float
    state_within: float
    decisions: tuple[Decision, ...]
    decisions_left_out: int


def explain(folder: Path, brain: str, source: str, target: str, at: datetime | None = None) -> Explanation:
    """Explain the ways between two endpoints under a brain's policy.

    Parameters
    ----------
    folder : Path
        A result folder.
    brain : str
        One of the run that kept records of its policies.
    source, target : str
        Names of endpoints.
    at : datetime, optional
        Local time within the run, without a time zone; the end of the trace if not given.

    Raises
    ------
    BadInputError
        If there is no such result, brain, endpoint, instant or way; or a file breaks a rule.
    """
    run, network = read_run(folder), read_network(folder)
    if brain not in run.brains or not has_policies(folder, brain):
        with_records = [one for one in run.brains if has_policies(folder, one)]
        rule = f"must be one that kept records: {', '.join(with_records)}" if with_records else "no brain kept records"
        raise BadInputError("--brain", rule, brain, str(folder))
    policies = read_policies(folder, brain, network)
    assert policies is not None, "there are records"
    metrics = read_metrics(folder, brain, network)
    at_ns = _instant(run, at, min(metrics.span_ns, metrics.ended_ns), metrics.ended_ns)
    record = policies.record_at(at_ns)
    if record is None:
        first = _moment(run, int(policies.now_ns[0])).isoformat()
        raise BadInputError(
            "--at", f"must be no earlier than the first policy, {first}", _moment(run, at_ns).isoformat()
        )
    ends = [_end(network, policies, name, place) for place, name in (("--from", source), ("--to", target))]
    if ends[0] == ends[1]:
        raise BadInputError("--to", "must be another endpoint than --from", target)
    groups = [int(policies.group[np.searchsorted(policies.node, end)]) for end in ends]
    paths = policies.paths_between(groups[0], groups[1])
    if not len(paths):
        raise BadInputError("--from, --to", "must be a pair that the policies have ways for", f"{source} - {target}")
    weights = policies.weights_at(record)[paths]
    routes = [_route(network, policies.stations_of(path).tolist(), ends[0], ends[1]) for path in paths.tolist()]
    delay_ns, ways = _ways(network, policies.states_at(record), routes, weights.tolist())
    split = _split_since(policies, record, paths)
    until_ns = int(policies.now_ns[record + 1]) if record + 1 < len(policies.now_ns) else metrics.ended_ns
    log = read_decisions(folder, brain, metrics.ended_ns)
    concerned, left_out = _around(log, at_ns, _names(network, policies, ends, groups, routes))
    return Explanation(
        run=run,
        brain=brain,
        source=source,
        target=target,
        at=_moment(run, at_ns),
        since=_moment(run, int(policies.now_ns[record])),
        until=_moment(run, until_ns),
        reason=policies.reason[record],
        trust=policies.trust[record],
        split_since=_moment(run, int(policies.now_ns[split])),
        split_reason=policies.reason[split],
        delay_ns=delay_ns,
        ways=ways,
        share_within=float(policies.share_within[record]),
        state_within=float(policies.state_within[record]),
        decisions=concerned,
        decisions_left_out=left_out,
    )


def _moment(run: Run, at_ns: int) -> datetime:
    return run.start + timedelta(microseconds=at_ns // 1_000)


def _instant(run: Run, at: datetime | None, default_ns: int, ended_ns: int) -> int:
    if at is None:
        return default_ns
    at_ns = (at - run.start) // timedelta(microseconds=1) * 1_000
    if not 0 <= at_ns <= ended_ns:
        rule = f"must lie in the run, {run.start.isoformat()} - {_moment(run, ended_ns).isoformat()}"
        raise BadInputError("--at", rule, at.isoformat())
    return at_ns


def _end(network: NetworkTable, policies: PolicyTable, name: str, place: str) -> int:
    """Return the index of an endpoint, or say which names are near."""
    nodes = network.nodes
    endpoints: dict[str, int] = {nodes.name[node]: node for node in policies.node.tolist()}
    if name in endpoints:
        return endpoints[name]
    labels = {nodes.label_zh[node]: other for other, node in endpoints.items() if nodes.label_zh[node]}
    near = [labels[name]] if name in labels else []
    if name in nodes.name:
        node = nodes.name.index(name)
        lines = zip(network.lines.source, network.lines.target, strict=True)
        near += [nodes.name[end] for end, other in lines if other == node and nodes.name[end] in endpoints]
    near += get_close_matches(name, endpoints, NEAR_MAX, 0.5)
    shown = ", ".join(list(dict.fromkeys(near))[:NEAR_MAX])
    rule = "must be the name of an endpoint" + (f"; near ones: {shown}" if shown else "")
    raise BadInputError(place, rule, name)


def _split_since(policies: PolicyTable, record: int, paths: NDArray[np.intp]) -> int:
    """Return the record from which the shares of these paths have been what they are."""
    rows = int(np.searchsorted(policies.weight_record, record, side="right"))
    changed = policies.weight_record[:rows][np.isin(policies.weight_path[:rows], paths)]
    split: int = changed.max(initial=0)
    return split


def _route(network: NetworkTable, stations: Sequence[int], source: int, target: int) -> list[int]:
    """All stations from endpoint to endpoint: a path has the access lines of its groups' first endpoints, or none."""
    roles, owners, lines = network.stations.role, network.stations.owner, network.lines
    trunk = list(stations)
    if trunk and roles[trunk[0]] == LINE:
        trunk = trunk[1:]
    if trunk and roles[trunk[-1]] == LINE:
        trunk = trunk[:-1]
    if not trunk or LINE in (roles[trunk[0]], roles[trunk[-1]]):
        raise BadInputError("paths", "must lead from one home to another", [network.stations.name[s] for s in stations])
    access = []
    for ends in ((source, owners[trunk[0]]), (owners[trunk[-1]], target)):
        joining = (line for line, both in enumerate(zip(lines.source, lines.target, strict=True)) if both == ends)
        line = next(joining, None)
        if line is None:
            names = [network.nodes.name[end] for end in ends]
            raise BadInputError("paths", "must begin and end at homes of the endpoints", names)
        access.append(lines.station[line])
    return [_own(network, source), access[0], *trunk, access[1], _own(network, target)]


def _own(network: NetworkTable, node: int) -> int:
    """Return the station at which an endpoint's exchanges begin and end."""
    passing = word(StationRole.PASS)
    stations = zip(network.stations.role, network.stations.owner, strict=True)
    own = next((station for station, (role, owner) in enumerate(stations) if role == passing and owner == node), None)
    if own is None:
        raise BadInputError("stations", "every endpoint must own one that it passes", network.nodes.name[node])
    return own


def _ways(
    network: NetworkTable, states: StationStates, routes: list[list[int]], weights: list[int]
) -> tuple[float | None, tuple[Way, ...]]:
    """Return the pair's mean delay and its ways in the order to show."""
    total = sum(weights)
    shares = [weight / total if total else 0.0 for weight in weights]
    known = [tuple(_station(network, states, station) for station in route) for route in routes]
    delays = [sum(station.stay_ns for station in stations) for stations in known]
    mean = sum(share * delay for share, delay in zip(shares, delays, strict=True)) if total else None
    ways = []
    for share, delay, stations in zip(shares, delays, known, strict=True):
        lost = tuple(station.name for station in stations if not station.up)
        ages = [station.age_s for station in stations if station.age_s is not None]
        way = Way(
            share=share,
            delay_ns=delay,
            difference_ns=None if lost or mean is None else delay - mean,
            busiest=max(stations, key=lambda station: station.utilisation),
            oldest_s=max(ages, default=None),
            unseen=len(stations) - len(ages),
            least_confidence=min(station.confidence for station in stations),
            lost=lost,
            stations=stations,
        )
        ways.append(way)
    return mean, tuple(sorted(ways, key=lambda way: (-way.share, bool(way.lost), way.delay_ns)))


def _station(network: NetworkTable, states: StationStates, station: int) -> StationKnown:
    age_s = float(states.age_s[station])
    return StationKnown(
        name=network.stations.name[station],
        stay_ns=float(states.stay_ns[station]),
        utilisation=float(states.utilisation[station]),
        loss=float(states.loss[station]),
        confidence=float(states.confidence[station]),
        age_s=None if age_s == NEVER_S else age_s,
        identified=bool(states.identified[station]),
        up=bool(states.up[station]),
    )


def _names(
    network: NetworkTable, policies: PolicyTable, ends: list[int], groups: list[int], routes: list[list[int]]
) -> set[str]:
    """All names by which decisions may speak of the pair and its ways."""
    firsts = [int(policies.node[np.flatnonzero(policies.group == group)[0]]) for group in groups]
    pairs = {f"{network.nodes.name[a]} - {network.nodes.name[b]}" for a, b in (ends, firsts)}
    stations = {station for route in routes for station in route}
    owners = {network.stations.owner[s] for s in stations if network.stations.role[s] != LINE}
    return pairs | {network.stations.name[s] for s in stations} | {network.nodes.name[node] for node in owners}


def _around(log: Sequence[Decision], at_ns: int, names: set[str]) -> tuple[tuple[Decision, ...], int]:
    """Decisions near an instant that concern these names; then those that concern nothing in particular."""
    near = [one for one in log if at_ns - BEFORE_NS <= one.now_ns <= at_ns + AFTER_NS]
    general = [not one.subject or one.kind == DecisionKind.TRUST_CHANGED for one in near]
    rows = [row for row, one in enumerate(near) if general[row] or any(_among(name, names) for name in one.subject)]
    order = sorted(rows, key=lambda row: (general[row], abs(near[row].now_ns - at_ns), row))
    return tuple(near[row] for row in sorted(order[:DECISIONS_MAX])), max(0, len(order) - DECISIONS_MAX)


def _among(name: str, names: set[str]) -> bool:
    """Whether a decision's subject is one of these names, or several of them joined, as the homes of a group are."""
    return name in names or names.issuperset(name.split("+"))
