"""A brain under watch: what it was told and what it said, in plain values, and the laws that all it says obeys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from made_networks import exchanges
from trunk_laws import check_choice

from router_core.lending import lending
from router_core.network import Network
from router_core.plan import Choice, Plan
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import Mode, TaskKind
from strategies.brain import (
    BorrowServers,
    Brain,
    Command,
    Event,
    KeepRecord,
    LogDecision,
    SendParticles,
    SetHandling,
    SetPlan,
    StationsChanged,
    TelemetryArrived,
)
from strategies.decision import FIGURES, Decision, DecisionKind

Pair = tuple[int, int]
Shares = dict[Pair, tuple[float, ...]]
Mangle = Callable[[Event], Iterable[Event]]

SERVERS = (DecisionKind.SERVERS_BORROWED, DecisionKind.SERVERS_RETURNED)
ROUTES = (DecisionKind.ROUTES_CHANGED, DecisionKind.ROUTES_RESTORED)
# A change of a share that is more than another rounding.
NOTICED = 0.0015


@dataclass(frozen=True, eq=False)
class Said:
    """What a brain answered to an event."""

    event: Event
    commands: list[Command]

    def of(self, kind: type) -> list:
        return [one for one in self.commands if isinstance(one, kind)]

    @property
    def decisions(self) -> list[Decision]:
        return [one.decision for one in self.of(LogDecision)]


@dataclass(frozen=True, eq=False)
class Routes:
    """A plan that was set, read out whole: weights of every pair of groups that has a way."""

    now_ns: int
    said: int
    choice: dict[Pair, Choice]

    @property
    def shares(self) -> Shares:
        """To the thousandth: tables and patches count in tickets of their own."""
        return {
            pair: tuple(round(weight / sum(one.weights), 3) for weight in one.weights)
            for pair, one in self.choice.items()
        }


class Watched:
    """Hands events on, mangled or as they are, and keeps them with the answers."""

    def __init__(self, brain: Brain, network: Network, mangle: Mangle | None = None) -> None:
        self.name = brain.name
        self.brain = brain
        self.said: list[Said] = []
        self.routes: list[Routes] = []
        self._network = network
        self._mangle = mangle or (lambda event: (event,))

    def handle(self, event: Event) -> list[Command]:
        commands: list[Command] = []
        for one in self._mangle(event):
            answer = self.brain.handle(one)
            self.said.append(Said(one, answer))
            for plan in (command.plan for command in answer if isinstance(command, SetPlan)):
                # Now: a plan that changed under one's hand would be another one later.
                self.routes.append(Routes(event.now_ns, len(self.said) - 1, read_out(plan, self._network)))
            commands += answer
        return commands

    @property
    def decisions(self) -> list[Decision]:
        return [one for said in self.said for one in said.decisions]

    def of_kind(self, *kinds: DecisionKind) -> list[Decision]:
        return [one for one in self.decisions if one.kind in kinds]

    @property
    def servers(self) -> list[tuple[int, dict[int, int]]]:
        """Instants and servers of every node after each command, in order."""
        asked: dict[int, int] = {}
        found = []
        for said in self.said:
            for command in said.of(BorrowServers):
                asked = asked | dict(zip(command.node.tolist(), command.servers.tolist(), strict=True))
                found.append((said.event.now_ns, asked))
        return found


def read_out(plan: Plan, network: Network) -> dict[Pair, Choice]:
    groups = range(len(network.groups))
    found = {(a, b): plan.choice(a, b) for a in groups for b in groups}
    return {pair: choice for pair, choice in found.items() if choice is not None}


def words(command: Command, network: Network) -> object:  # noqa: PLR0911 - one a kind of command
    """A command in plain values that compare: of a plan its weights, of a handling its answer to some tasks."""
    match command:
        case SetPlan(plan, reroute):
            return "plan", reroute, sorted((p, c.trunks, c.weights) for p, c in read_out(plan, network).items())
        case BorrowServers():
            return "borrow", command.node.tolist(), command.servers.tolist()
        case SetHandling(handling):
            if handling is None:
                return "handling", None
            handled = handling.handle(probe_tasks(network), 1_000)
            return "handling", handled.hold_ns.tolist(), handled.priority.tolist()
        case SendParticles():
            return "particles", *(_plain(value) for value in vars(command).values())
        case LogDecision(decision):
            return "log", repr(decision)
        case KeepRecord(record):
            state = [_plain(value) for value in vars(record.state).values()]
            return "record", record.now_ns, record.reason, record.trust, record.weights.tolist(), state


def _plain(value: object) -> object:
    # NaN is equal to itself here: it may mean that nothing is known.
    return (value.dtype.str, value.tobytes()) if isinstance(value, np.ndarray) else value


def probe_tasks(network: Network, lead_ns: int = 2 * HOUR_NS):
    """A task of each mode and kind from each endpoint to a few others."""
    ends = network.endpoints.tolist()
    rows = [
        (source, target, mode, kind)
        for source in ends
        for target in ends[source % 3 :: 3]
        if source != target
        for mode in Mode
        for kind in TaskKind
    ]
    source, target, mode, kind = (list(column) for column in zip(*rows, strict=True))
    submitted = np.arange(len(rows), dtype=np.int64)
    size = np.where(np.array(mode) == Mode.BATCH, 600_000_000, 50_000_000)
    return exchanges(submitted, source, target, size, mode=mode, kind=kind, priority=3, deadline_ns=submitted + lead_ns)


def check_laws(watched: Watched, network: Network) -> None:
    """Laws 2, 6 and 7 of all that was said, and that what was done is in the log."""
    _check_routes(watched, network)
    _check_servers(watched, network)
    _check_log(watched)


def _check_routes(watched: Watched, network: Network) -> None:
    """Every pair of groups has lawful ways in every plan, and those that are kept to be explained have one sum; none
    goes where it is known to be dead, while it knows another way."""
    assert watched.routes, "no plan was ever set"
    pairs = set(watched.routes[0].choice)
    expected = {(a, b) for a in range(len(network.groups)) for b in range(len(network.groups))}
    assert pairs == expected, "the toy is connected"
    lawful: set[tuple[Pair, Choice]] = set()
    for routes in watched.routes:
        assert set(routes.choice) == pairs
        for pair, choice in routes.choice.items():
            if (pair, choice) not in lawful:
                check_choice(network, choice, *pair)
                lawful.add((pair, choice))
    for record in (one.record for said in watched.said for one in said.of(KeepRecord)):
        sums = np.bincount(record.paths.path_pair, record.weights, record.paths.pair_count)
        assert (sums == sums[0]).all()
        assert sums[0] > 0
        assert (record.weights >= 0).all()
    for said, up, routes in in_force(watched, network):
        if up.all():
            continue
        for pair, choice in routes.choice.items():
            alive = [up[list(trunk.stations)].all() for trunk in choice.trunks]
            if any(alive):
                dead = [w for w, lives in zip(choice.weights, alive, strict=True) if w and not lives]
                assert not dead, (said.event.now_ns, type(said.event).__name__, pair, choice.weights, alive)


def in_force(watched: Watched, network: Network):
    """After each event: the answer, which stations are known to work, and the plan in force."""
    up, place, routes = np.ones(network.station_count, dtype=bool), 0, None
    for number, said in enumerate(watched.said):
        if isinstance(said.event, StationsChanged):
            up = up.copy()
            up[said.event.station] = said.event.up
        while place < len(watched.routes) and watched.routes[place].said <= number:
            routes, place = watched.routes[place], place + 1
        if routes is not None:
            yield said, up, routes


def _check_servers(watched: Watched, network: Network) -> None:
    lent = lending(network)
    pool_of = dict(zip(lent.node.tolist(), lent.pool.tolist(), strict=True))
    for _, asked in watched.servers:
        used = np.bincount([pool_of[node] for node in asked], list(asked.values()), len(lent.budget))
        assert (used <= lent.budget).all()


def _check_log(watched: Watched) -> None:
    """Whatever changes something is told of in the same breath; nothing that is told rests on the future."""
    holds, newest_ns, last_ns = False, 0, 0
    for number, said in enumerate(watched.said):
        kinds = {one.kind for one in said.decisions}
        newest_ns = max(newest_ns, said.event.now_ns)
        for decision in said.decisions:
            assert decision.observed_ns <= decision.now_ns
            # By the clock as far as it is believed: it may be told to run back, or to leap ahead.
            assert last_ns <= decision.now_ns <= newest_ns, decision
            last_ns = decision.now_ns
            assert set(decision.figures) <= set(FIGURES)
        if said.of(BorrowServers):
            assert kinds & set(SERVERS), said.event
        if said.of(SetPlan) and not isinstance(said.event, _slot()) and number:
            assert kinds & set(ROUTES), said.event
        held = [command for command in said.of(SetHandling) if "Paced" in type(command.handling).__name__]
        holds = holds or DecisionKind.BULK_HELD in kinds
        assert holds or not held, "bulk is held and nobody says so"
        if DecisionKind.BULK_RELEASED in kinds:
            holds = False


def _slot() -> type:
    from strategies.brain import SlotStarted  # noqa: PLC0415

    return SlotStarted


def turns(watched: Watched, since_ns: int = 0) -> dict[tuple[Pair, int], list[tuple[int, int]]]:
    """Of every way whose weight changed: instants, and +1 or -1, in order."""
    found: dict[tuple[Pair, int], list[tuple[int, int]]] = {}
    shares = [routes.shares for routes in watched.routes]
    for before, routes, after in zip(shares, watched.routes[1:], shares[1:], strict=False):
        if routes.now_ns < since_ns:
            continue
        for pair, now in after.items():
            for place, (old, new) in enumerate(zip(before[pair], now, strict=True)):
                if abs(new - old) > NOTICED:
                    found.setdefault((pair, place), []).append((routes.now_ns, 1 if new > old else -1))
    return found


def flaps(watched: Watched, within_ns: int = 5 * MINUTE_NS) -> list[tuple[Pair, int, int]]:
    """Ways that lost, gained and lost traffic again within so long, with the instant of the first loss."""
    found = []
    for (pair, place), moves in turns(watched).items():
        for number, (at_ns, sign) in enumerate(moves):
            later = [one for one in moves[number + 1 :] if one[0] - at_ns < within_ns]
            gains = [one[0] for one in later if one[1] > 0]
            if sign < 0 and gains and any(one[0] > gains[0] and one[1] < 0 for one in later):
                found.append((pair, place, at_ns))
    return found


def samples(watched: Watched) -> list[Said]:
    """Answers to telemetry: one a control step."""
    return [said for said in watched.said if isinstance(said.event, TelemetryArrived)]


def seconds(now_ns: int) -> float:
    return now_ns / SECOND_NS
