"""What differs between two policies, pair by pair: what `policy diff` tells before somebody signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feed.bundle.documents import TargetRoutes, Way
from feed.bundle.parsed import Parsed, weights_at
from feed.clock import instant_of, local_of
from router_core.errors import BadInputError


@dataclass(frozen=True)
class Moved:
    """A pair of groups whose ways or weights differ.

    Attributes
    ----------
    source, target : str
        Names of groups.
    planned : float
        Share that goes another way in the slot where that is most, 0 .. 1, by the static layers.
    now : float
        The same in the slot in which the second policy begins, by both layers.
    """

    source: str
    target: str
    planned: float
    now: float


@dataclass(frozen=True)
class Changes:
    """What differs between two policies of one network.

    Attributes
    ----------
    files : tuple of str
        That are new, gone or of another content.
    appeared, vanished : tuple of (str, str)
        Pairs of groups with ways in the second policy alone, in the first alone.
    moved : tuple of Moved
        Pairs in both, those first that move most.
    reordered : int
        Pairs in both of which only unused ways, or their order, differ.
    pairs : int
        Pairs with ways in both.
    slots_differ : bool
        Whether the slots of the static layers are others; slots are then compared by their numbers.
    """

    files: tuple[str, ...]
    appeared: tuple[tuple[str, str], ...]
    vanished: tuple[tuple[str, str], ...]
    moved: tuple[Moved, ...]
    reordered: int
    pairs: int
    slots_differ: bool


def changes(before: Parsed, after: Parsed) -> Changes:
    """Compare two policies, or two packages of one group.

    Raises
    ------
    BadInputError
        If they are of two networks: numbers mean something else in each.
    """
    if before.platform.topology != after.platform.topology:
        rule = f"must be of the first bundle's network, {before.platform.topology[:12]}"
        raise BadInputError("topology of the second bundle", rule, after.platform.topology[:12])
    digests = [{entry.path: entry.sha256 for entry in one.manifest.files} for one in (before, after)]
    files = sorted(path for path, _ in digests[0].items() ^ digests[1].items())
    slot = after.clock().slot_at(local_of(instant_of(after.manifest.valid_from)))
    names = [group.name for group in after.platform.groups]
    appeared, vanished, moved = [], [], []
    reordered = pairs = 0
    for group in range(len(names)):
        old, new = _routes(before, group), _routes(after, group)
        appeared += [(names[group], names[target]) for target in sorted(new.keys() - old.keys())]
        vanished += [(names[group], names[target]) for target in sorted(old.keys() - new.keys())]
        pairs += len(old.keys() & new.keys())
        now = [dict(one.now[group].weights) if group in one.now else {} for one in (before, after)]
        for target in sorted(old.keys() & new.keys()):
            first, second = old[target], new[target]
            if first == second and now[0].get(target) == now[1].get(target):
                continue
            planned = max(_moved(first, second, at) for at in {at for at, _ in (*first.weights, *second.weights)})
            at_once = _distance(
                (first.ways, now[0].get(target) or weights_at(first.weights, slot)),
                (second.ways, now[1].get(target) or weights_at(second.weights, slot)),
            )
            if planned or at_once:
                moved.append(Moved(names[group], names[target], planned, at_once))
            else:
                reordered += 1
    moved.sort(key=lambda one: (-max(one.planned, one.now), one.source, one.target))
    return Changes(
        tuple(dict.fromkeys(files)),
        tuple(appeared),
        tuple(vanished),
        tuple(moved),
        reordered,
        pairs,
        before.grid() != after.grid(),
    )


def _routes(parsed: Parsed, group: int) -> dict[int, TargetRoutes]:
    return {one.target: one for one in parsed.routes[group].targets} if group in parsed.routes else {}


def _moved(first: TargetRoutes, second: TargetRoutes, slot: int) -> float:
    return _distance((first.ways, weights_at(first.weights, slot)), (second.ways, weights_at(second.weights, slot)))


def _distance(first: tuple[Sequence[Way], Sequence[int]], second: tuple[Sequence[Way], Sequence[int]]) -> float:
    """Half the sum of the differences of shares: the share that goes another way."""
    shares: dict[tuple[int, int, tuple[int, ...]], float] = {}
    for sign, (ways, weights) in ((-1, first), (1, second)):
        total = sum(weights)
        for way, weight in zip(ways, weights, strict=True):
            key = way.first, way.last, way.stations
            shares[key] = shares.get(key, 0.0) + sign * weight / total
    apart = sum(abs(share) for share in shares.values()) / 2
    return apart if apart > 1e-9 else 0.0  # what is left of equal sums
