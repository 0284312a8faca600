"""A recorded live run once more, offline: the same events to a brain made anew must give the same commands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from feed.live.command_digest import CommandDigests
from feed.live.recording import Recorded
from router_core.network import Network
from strategies.brain import Brain


@dataclass(frozen=True)
class Rerun:
    """What came of it.

    Attributes
    ----------
    events, commands : int
        How many were compared.
    difference : str or None
        The first command that differs: the event's number, name and time, and both lines; None: all are the same.
    """

    events: int
    commands: int
    difference: str | None


def rerun(recorded: Iterable[Recorded], network: Network, brain: Brain) -> Rerun:
    """Tell a brain what was recorded, until it commands something else than was recorded.

    Parameters
    ----------
    recorded : iterable of Recorded
    network : Network
    brain : Brain
        New, made as the recorded one was.
    """
    digests = CommandDigests(network)
    events = commands = 0
    for one in recorded:
        lines = digests.lines(brain.handle(one.event))
        events += 1
        for then, now in zip_longest(one.commands, lines, fillvalue="nothing"):
            if then != now:
                where = f"event {one.number}, {type(one.event).__name__} at {one.event.now_ns} ns"
                return Rerun(events, commands, f"{where}: recorded {then}, now {now}")
            commands += 1
    return Rerun(events, commands, None)
