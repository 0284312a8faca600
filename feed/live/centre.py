"""The brain at work: told events, its commands followed and recorded. It has no sockets and no clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from feed.bundle.compose import PolicyContent
from feed.clock import local_of
from feed.live.command_digest import CommandDigests
from feed.live.policy_now import PolicyNow
from feed.live.recording import Recorder
from router_core.network import Network
from router_core.units import MINUTE_NS
from strategies.brain import Brain, Event, LogDecision, SlotStarted
from strategies.decision import Decision, Trust
from strategies.static.prepare import Prepared

SLOT_NS = 5 * MINUTE_NS


@dataclass(frozen=True)
class Told:
    """What came of some events.

    Attributes
    ----------
    decisions : tuple of Decision
    step_s : tuple of float
        Time that the brain took for each event [s].
    """

    decisions: tuple[Decision, ...]
    step_s: tuple[float, ...]


class LiveCentre:
    """A prepared brain with what its commands come to.

    Parameters
    ----------
    network : Network
    brain : Brain
    prepared : Prepared
    start_ns : int
        Instant 0 of the run, since 1970 [ns].
    recorder : Recorder, optional
    """

    def __init__(
        self, network: Network, brain: Brain, prepared: Prepared, start_ns: int, recorder: Recorder | None = None
    ) -> None:
        self._brain = brain
        self._policy = PolicyNow(network, prepared, local_of(start_ns))
        self._digests = CommandDigests(network)
        self._recorder = recorder
        self._slot = -1

    @property
    def trust(self) -> str:
        """What the brain goes by, ``-`` where it does not say."""
        trust = getattr(self._brain, "trust", None)
        return trust.name.lower() if isinstance(trust, Trust) else "-"

    def slot(self, now_ns: int) -> list[Event]:
        """Return the event of the planning slot that began, if one did; [ns] of the run.

        Of several that began while nobody asked only the last is told: the brain goes by the time, not by the count.
        """
        slot = now_ns // SLOT_NS
        if slot <= self._slot:
            return []
        self._slot = slot
        return [SlotStarted(now_ns, slot)]

    def tell(self, events: Sequence[Event]) -> Told:
        """Tell the brain, in order."""
        decisions: list[Decision] = []
        took: list[float] = []
        for event in events:
            began = time.perf_counter()
            commands = self._brain.handle(event)
            took.append(time.perf_counter() - began)
            for command in commands:
                self._policy.apply(command)
                if isinstance(command, LogDecision):
                    decisions.append(command.decision)
            if self._recorder is not None:
                self._recorder.record(event, self._digests.lines(commands))
        return Told(tuple(decisions), tuple(took))

    def content(self, now_ns: int) -> PolicyContent:
        """Policy in force at an instant of the run [ns]."""
        return self._policy.content(now_ns)

    def key(self, now_ns: int) -> str:
        """Digest of what differs from the plan at an instant [ns]."""
        return self._policy.key(now_ns)

    def as_planned(self, now_ns: int) -> bool:
        """Whether nothing differs from the plan at an instant [ns]."""
        return self._policy.as_planned(now_ns)

    def close(self) -> None:
        """End the recording."""
        if self._recorder is not None:
            self._recorder.close()
