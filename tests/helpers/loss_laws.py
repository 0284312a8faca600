"""What holds when centres are lost and come back, whoever is lost: the laws 1 and 7, and that all is as before soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from lost_centres import Seen, seen_through
from trunk_laws import check_trunk

from router_core.network import Network
from router_core.plan import Choice, Trunk
from router_core.units import MINUTE_NS, SECOND_NS
from sim.data_plane import Refusal
from sim.studies.case import platform_of
from sim.studies.survival.elements import Failure
from sim.studies.survival.trial import Moment
from sim.world import WorldConfig

ALARM_NS = WorldConfig().alarm_ns
# Whatever waited for a centre is delivered so long after it came back at the latest; so is whatever these made wait.
SETTLED_NS = 10 * MINUTE_NS
# Of the last minutes most exchanges come at the very nanosecond at which they come when nothing was lost.
LAST_NS = 2 * MINUTE_NS
AS_BEFORE = 0.5

Ends = tuple[int, int]
_lawful: set[tuple[Ends, Trunk]] = set()


@dataclass(frozen=True)
class Verdict:
    """What became of a loss.

    Attributes
    ----------
    name : str
        What was lost.
    seed : int
        Of the morning.
    broken : tuple of str
        Laws that do not hold, each with the first exchange or route that shows it.
    exchanges : int
        All of them.
    cut, stranded : int
        Submitted while it lasted, between endpoints that no way joined, and that no way of the plan joined though the
        network has one.
    stranded_pairs : int
        Pairs of endpoints of the latter.
    retried : int
        Exchanges that were tried again.
    settled_s : float
        From the return until the last one that waited was delivered.
    as_before : float
        Share of the last minutes' exchanges that came at the very nanosecond at which they do without the loss.
    """

    name: str
    seed: int
    broken: tuple[str, ...]
    exchanges: int
    cut: int
    stranded: int
    stranded_pairs: int
    retried: int
    settled_s: float
    as_before: float


def judged(loss: tuple[Moment, Failure]) -> Verdict:
    """Live a moment with a loss and judge it: work for any process."""
    return Judge(seen_through(*loss)).verdict()


def told(verdict: Verdict, more: str = "") -> str:
    """Tell which laws a loss broke, and by which command it is lived again; `more`: other variables of that."""
    command = f"make soak-centres SEED={verdict.seed} LOST='{verdict.name}'{more}"
    return "\n".join((f"{verdict.name} lost:", *(f"  {one}" for one in verdict.broken), f"replay: {command}"))


class Judge:
    """Holds a run against the laws.

    Parameters
    ----------
    seen : Seen
    """

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self._network: Network = seen.network
        span = seen.moment.span
        self._known = span.lead_ns + ALARM_NS, span.until_ns + ALARM_NS
        submitted_ns = seen.rows.submitted_ns
        self.during = (submitted_ns >= span.lead_ns) & (submitted_ns < span.until_ns)
        self.cut = seen.cut(seen.rows.source, seen.rows.target)

    def verdict(self) -> Verdict:
        """Judge."""
        seen = self.seen
        span, delivered_ns, base_ns = seen.moment.span, seen.outcome.delivered_ns, seen.base.delivered_ns
        broken = [*self.accounts(), *self.routes(), *self.who_waits(), *self.settles(), *self.normal_again()]
        waited_ns = delivered_ns - span.until_ns
        waited_ns = waited_ns[(self.cut | self.stranded) & (delivered_ns != base_ns) & (delivered_ns >= 0)]
        return Verdict(
            seen.failure.name,
            seen.moment.case.seed,
            tuple(broken),
            len(seen.rows),
            int((self.cut & self.during).sum()),
            int((self.stranded & self.during).sum()),
            len(self.stranded_ends),
            int((seen.outcome.retries > 0).sum()),
            max(0, int(waited_ns.max(initial=0))) / SECOND_NS,
            self.as_before,
        )

    def accounts(self) -> Iterator[str]:
        """Law 1: nothing is lost, nothing comes twice, to the exchange and to the byte."""
        seen, last = self.seen, self.seen.last
        came, refused = seen.outcome.delivered_ns >= 0, seen.outcome.refusal != Refusal.NOT_REFUSED
        counts = len(seen.rows), int(came.sum()), int(refused.sum()), int((~came & ~refused).sum())
        told = last.submitted, last.delivered, last.refused, last.in_flight
        if counts != told or (came & refused).any():
            yield f"law 1: submitted, delivered, refused, in flight: {counts} by exchange, {told} by the plane's counts"
        if counts[1] != counts[0]:
            yield f"law 1: {counts[0] - counts[1]} exchanges are not delivered though all are joined again"
            return
        # A line from a home to an endpoint carries what is delivered there and nothing else, but for particles.
        if last.particles_sent:
            return
        arrived = np.zeros(self._network.node_count, dtype=np.int64)
        for (_, end), station in self._network.access_station.items():
            if self._network.is_endpoint[end]:
                arrived[end] += last.served_bytes[station]
        wanted = np.zeros_like(arrived)
        np.add.at(wanted, seen.rows.target, seen.rows.payload_bytes)
        wrong = np.flatnonzero(arrived != wanted)
        if len(wrong):
            end = int(wrong[0])
            name = self._network.node_name[end]
            yield f"law 1: {name} was sent {wanted[end]} bytes and got {arrived[end]} ({len(wrong)} such endpoints)"

    def routes(self) -> Iterator[str]:
        """Law 7: each way is lawful; while the loss is known none of them leads over it, but for who is cut off."""
        for asked in self.seen.asked:
            answers = [(self._ends_of(*groups), choice) for groups, choice in asked.of_groups.items()]
            answers += list(asked.of_ends.items())
            for (source, target), choice in answers:
                if choice is None:
                    yield f"law 7: no way at all from {self._named(source, target)}"
                    return
                told = self._unlawful(source, target, choice)
                if told:
                    yield f"law 7: {self._named(source, target)}: {told}"
                    return
        for ends in self.stranded_ends & self._half_live:
            yield f"law 7: {self._named(*ends)} is led over what is lost though another way lives"
            return

    def _ends_of(self, source_group: int, target_group: int) -> Ends:
        one, other = (self._network.group_endpoint[group] for group in (source_group, target_group))
        return int(one), int(other)

    def _named(self, source: int, target: int) -> str:
        return f"{self._network.node_name[source]} > {self._network.node_name[target]}"

    def _unlawful(self, source: int, target: int, choice: Choice) -> str | None:
        homes = self._network.homes
        groups = int(self._network.node_group[source]), int(self._network.node_group[target])
        for trunk in choice.trunks:
            if (groups, trunk) not in _lawful:
                try:
                    check_trunk(self._network, trunk, homes[source], homes[target])
                except AssertionError as error:
                    return f"{trunk}: {error}"
                _lawful.add((groups, trunk))
        return None

    @cached_property
    def _led_astray(self) -> dict[Ends, Choice]:
        """Pairs that the network joins, and that the plan in force leads over what is known to be lost."""
        down = frozenset(self.seen.failure.stations)
        found = {}
        for asked in self.seen.asked:
            if not self._known[0] <= asked.since_ns < self._known[1]:
                continue
            for ends, choice in asked.of_ends.items():
                if choice is None:
                    continue
                used = [trunk for trunk, weight in zip(choice.trunks, choice.weights, strict=True) if weight]
                if not all(down.isdisjoint(trunk.stations) for trunk in used):
                    found[ends] = choice
        if not found:
            return {}
        source, target = (np.array(column, dtype=np.int32) for column in zip(*found, strict=True))
        return {ends: found[ends] for ends, cut in zip(found, self.seen.cut(source, target), strict=True) if not cut}

    @property
    def stranded_ends(self) -> set[Ends]:
        """Pairs that the network joins while the plan has no live way for them."""
        return set(self._led_astray)

    @property
    def _half_live(self) -> set[Ends]:
        down = frozenset(self.seen.failure.stations)
        return {
            ends
            for ends, choice in self._led_astray.items()
            if any(down.isdisjoint(trunk.stations) for trunk in choice.trunks)
        }

    @cached_property
    def stranded(self) -> np.ndarray:
        """Which exchanges are of such pairs, bool (n,)."""
        keys = [source * self._network.node_count + target for source, target in self.stranded_ends]
        rows = self.seen.rows
        return np.isin(rows.source.astype(np.int64) * self._network.node_count + rows.target, keys)

    def who_waits(self) -> Iterator[str]:
        """Exactly those whom no way joins wait for the return; of the others, who began before the alarm fails once."""
        seen, span = self.seen, self.seen.moment.span
        delivered_ns, retries = seen.outcome.delivered_ns, seen.outcome.retries
        early = self.cut & self.during & (delivered_ns >= 0) & (delivered_ns < span.until_ns)
        yield from self._told(early, "is delivered over what is lost")
        free = ~self.cut & ~self.stranded
        after = seen.rows.submitted_ns >= self._known[0]
        yield from self._told(free & after & (retries > 0), "law 7: is tried again though the loss was known")
        chunk_bytes = platform_of(seen.moment.case.scenario).transport.chunk_bytes
        chunks = np.maximum(1, -(-seen.rows.payload_bytes // chunk_bytes))
        yield from self._told(free & (retries > chunks), "law 7: a chunk is tried again more than once")

    def settles(self) -> Iterator[str]:
        """Liveness; and what was over before the loss is as it was."""
        seen, span = self.seen, self.seen.moment.span
        delivered_ns, base_ns = seen.outcome.delivered_ns, seen.base.delivered_ns
        late = delivered_ns > np.maximum(base_ns, span.until_ns) + SETTLED_NS
        yield from self._told(late, f"is not delivered within {SETTLED_NS / MINUTE_NS:g} min of the return")
        past = (base_ns >= 0) & (base_ns < span.lead_ns)
        yield from self._told(past & (delivered_ns != base_ns), "changed before anything was lost")

    def normal_again(self) -> Iterator[str]:
        """Once the return is known plans are the brain's own, and exchanges go as if nothing had been."""
        after = [asked for asked in self.seen.asked if asked.since_ns >= self._known[1]]
        if not after or any(asked.alternates for asked in after):
            yield "after the return front-ends still leave out ways"
        if self.as_before < AS_BEFORE:
            yield f"of the last minutes' exchanges only {self.as_before:.1%} come as without the loss"

    @cached_property
    def as_before(self) -> float:
        """Share of the last minutes' exchanges that come at the same nanosecond as without the loss."""
        seen, span = self.seen, self.seen.moment.span
        last = seen.rows.submitted_ns >= span.whole_ns - LAST_NS
        return float((seen.outcome.delivered_ns == seen.base.delivered_ns)[last].mean())

    def _told(self, wrong: np.ndarray, what: str) -> Iterator[str]:
        if not wrong.any():
            return
        row = int(np.flatnonzero(wrong)[0])
        rows, outcome = self.seen.rows, self.seen.outcome
        ends = self._named(int(rows.source[row]), int(rows.target[row]))
        yield (
            f"exchange {row}, {ends}, {rows.payload_bytes[row]} bytes, submitted at "
            f"{rows.submitted_ns[row] / SECOND_NS:.3f} s, delivered at {outcome.delivered_ns[row] / SECOND_NS:.3f} s, "
            f"{outcome.retries[row]} retries: {what} ({int(wrong.sum())} such exchanges)"
        )
