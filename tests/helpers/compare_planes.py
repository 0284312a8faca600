"""Drive a data plane through a world, and say in one line where two of them first differ."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields

import numpy as np
from plain_worlds import Change, Cut, Look, Replan, Send, Submit, World, command

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.transport import Transport
from sim.data_plane import Collected, DataPlane, Outcome, Snapshot

PlaneFactory = Callable[[Network, Transport], DataPlane]
Plain = dict[str, int | list[int]]
# A world takes a plane hundredths of a second, a crowd one second. What takes this long will never end.
HANGS_S = 30.0


@dataclass
class Trail:
    """All that a plane showed of itself, as Python's own integers.

    Attributes
    ----------
    seen : dict from a step's position
        What came of it: a snapshot, with a mid-run outcome in it and the particles that had ended; or the error of what
        was refused, as text.
    taken : list of int
        Positions of the batches and of the rounds of particles that were taken in.
    sent : list of int
        The number of the first particle of each of these rounds.
    outcome : what became of each exchange at the end, and the last particles to end.
    ended : str
        What ended the run early: a plan that breaks a rule may come to light only when one of its ways is asked for.
    crash : str
        What the plane died of, if it did.
    """

    seen: dict[int, Plain | str] = field(default_factory=dict)
    taken: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    outcome: Plain = field(default_factory=dict)
    ended: str = ""
    crash: str = ""

    def snapshots(self) -> list[Plain]:
        return [seen for seen in self.seen.values() if isinstance(seen, dict)]

    def collected(self) -> list[tuple[int, int]]:
        """Particles that came or were lost: number and instant, as they were collected."""
        shown = [*self.snapshots(), self.outcome]
        rows = (zip(one["number"], one["received_ns"], strict=True) for one in shown if "number" in one)
        return [row for one in rows for row in one]


def drive(world: World, plane_factory: PlaneFactory, *, hangs_s: float = HANGS_S) -> Trail:
    """Do to a new plane all that is done in a world; whatever it raises is part of the trail, as is that it hangs."""
    with _alarm(hangs_s):
        return _drive(world, plane_factory)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TimeoutError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _drive(world: World, plane_factory: PlaneFactory) -> Trail:
    trail = Trail()
    position = -1
    try:
        plane = plane_factory(world.network, world.transport)
        now_ns = 0
        for position, step in enumerate(world.steps):
            if step.at_ns > now_ns:
                now_ns = step.at_ns
                try:
                    plane.advance(now_ns)
                except BadInputError as error:
                    trail.ended = f"step {position}: {error}"
                    return trail
            try:
                match step:
                    case Submit():
                        plane.submit(step.batch())
                        trail.taken.append(position)
                    case Send():
                        trail.sent.append(plane.send(step.round()))
                        trail.taken.append(position)
                    case Replan() | Change():
                        plane.apply(command(world, step))
                    case Cut():
                        plane.advance(step.at_ns)
                    case Look():
                        trail.seen[position] = plain(plane.snapshot())
                        if step.outcome:
                            trail.seen[position] |= plain(plane.outcome()) | plain(plane.collect())
            except (BadInputError, ValueError) as error:
                trail.seen[position] = f"{type(error).__name__}: {error}"
        position = len(world.steps)
        trail.outcome = plain(plane.outcome()) | plain(plane.collect())
    except Exception as error:  # A crash of whatever kind is a finding, and the next world must run.
        trail.crash = f"step {position}: {type(error).__name__}: {error}"
    return trail


def plain(shown: Snapshot | Outcome | Collected) -> Plain:
    """Return what a plane shows as Python's own integers; the dtypes of the contract are checked by the way."""
    result: Plain = {}
    for part in fields(shown):
        value = getattr(shown, part.name)
        if isinstance(value, np.ndarray):
            wanted = {"refusal": np.int8, "retries": np.int32}.get(part.name, np.int64)
            if value.dtype != wanted:
                raise TypeError(f"{part.name} must be {np.dtype(wanted).name}, got {value.dtype}")
        result[part.name] = value.tolist() if isinstance(value, np.ndarray) else int(value)
    return result


def compare(
    world: World,
    first: PlaneFactory,
    second: PlaneFactory,
    names: tuple[str, str] = ("first", "second"),
    *,
    hangs_s: float = HANGS_S,
) -> str | None:
    """Return the first difference between two planes in one line, or `None`; a plane that dies or hangs differs."""
    return difference(world, drive(world, first, hangs_s=hangs_s), drive(world, second, hangs_s=hangs_s), names)


def difference(world: World, one: Trail, other: Trail, names: tuple[str, str] = ("first", "second")) -> str | None:
    """Return the first difference between two trails of a world in one line, or `None`."""
    for name, trail in zip(names, (one, other), strict=True):
        if trail.crash:
            return f"{name} died at {trail.crash}"
    for position, step in enumerate(world.steps):
        a, b = one.seen.get(position), other.seen.get(position)
        if a == b:
            continue
        where = f"step {position} at {step.at_ns} ns ({type(step).__name__})"
        if isinstance(a, dict) and isinstance(b, dict):
            return f"{where}: {_values(world, a, b, names)}"
        told = ["accepts it" if seen is None else f"says {seen!r}" for seen in (a, b)]
        return f"{where}: {names[0]} {told[0]}, {names[1]} {told[1]}"
    if (one.ended, one.sent) != (other.ended, other.sent):
        told = [f"{trail.ended or 'its end'}, first particles {trail.sent}" for trail in (one, other)]
        return f"the run ends at: {names[0]} {told[0]}, {names[1]} {told[1]}"
    if one.outcome != other.outcome:
        return f"at the end: {_values(world, one.outcome, other.outcome, names)}"
    return None


def _values(world: World, a: Plain, b: Plain, names: tuple[str, str]) -> str:
    """Name the first field, and the first station or exchange in it, where two snapshots or outcomes differ."""
    network = world.network
    for name, value in a.items():
        other = b[name]
        if value == other:
            continue
        if not (isinstance(value, list) and isinstance(other, list)):
            return f"{name}: {names[0]} {value}, {names[1]} {other}"
        if len(value) != len(other):
            return f"length of {name}: {names[0]} {len(value)}, {names[1]} {len(other)}"
        differing = [place for place, pair in enumerate(zip(value, other, strict=True)) if pair[0] != pair[1]]
        place = differing[0]
        of = f"exchange {place}"
        if name in ("number", "received_ns"):
            of = f"particle {a['number'][place]}"
        elif name not in ("delivered_ns", "refusal", "retries"):
            of = f"station {place} ({network.station_name[place]})"
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        return f"{name} of {of}: {names[0]} {value[place]}, {names[1]} {other[place]}{more}"
    return "nothing differs"
