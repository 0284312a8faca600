"""From a failing world to a small one that still fails: greedy delta debugging (Zeller and Hildebrandt, 2002).

What is left out first is what there is most of: exchanges and particles, then steps, then entries of commands, in
halves down to single ones. Then whatever is left is made plainer, feature by feature, until a whole round changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from time import monotonic

from plain_worlds import Change, Send, Step, Submit, World
from plainer_worlds import plainer

Fails = Callable[[World], bool]


class _Search:
    """The smallest failing world so far, and how much may still be tried."""

    def __init__(self, world: World, fails: Fails, attempts: int, seconds: float) -> None:
        self.world = world
        self._fails = fails
        self._attempts = attempts
        self._until = monotonic() + seconds

    @property
    def spent(self) -> bool:
        return self._attempts <= 0 or monotonic() > self._until

    def takes(self, world: World) -> bool:
        """Try a smaller world, and keep it if it fails too."""
        if self.spent:
            return False
        self._attempts -= 1
        if not self._fails(world):
            return False
        self.world = world
        return True


def shrink(world: World, fails: Fails, *, attempts: int = 4_000, seconds: float = 60.0) -> World:
    """Return a smaller world that fails too; the given one must fail.

    Parameters
    ----------
    world : World
    fails : callable
        Whether a world fails; asked up to `attempts` times, and not after `seconds`.
    """
    search = _Search(world, fails, attempts, seconds)
    while not search.spent:
        before = search.world
        for parts, without in ((_rows, _without_rows), (_others, _without_steps), (_entries, _without_entries)):
            _drop(search, parts, without)
        _simplify(search)
        if search.world is before:
            break
    return search.world


def _drop(
    search: _Search, parts: Callable[[World], Sequence[object]], without: Callable[[World, set[object]], World]
) -> None:
    """Leave out parts, in runs of half of them first, then ever shorter ones."""
    length = max(1, (len(parts(search.world)) + 1) // 2)
    while True:
        begin = 0
        while begin < len(found := parts(search.world)):
            # What has been left out makes room: the next run now begins at the same place.
            if not search.takes(without(search.world, set(found[begin : begin + length]))):
                begin += length
            if search.spent:
                return
        if length == 1:
            return
        length //= 2


def _simplify(search: _Search) -> None:
    """Try every plainer version; one that still fails is where the next is tried."""
    seen: set[str] = set()
    progress = True
    while progress and not search.spent:
        progress = False
        for name, candidate in _fresh(plainer(search.world), seen):
            seen.add(name)
            if search.takes(candidate):
                progress = True
                break


def _fresh(candidates: Iterator[tuple[str, World]], seen: set[str]) -> Iterator[tuple[str, World]]:
    return (entry for entry in candidates if entry[0] not in seen)


def _rows(world: World) -> list[object]:
    """Positions (step, row) of all exchanges and particles."""
    return [
        (position, row)
        for position, step in enumerate(world.steps)
        if isinstance(step, Submit | Send)
        for row in range(len(step.rows))
    ]


def _without_rows(world: World, gone: set[object]) -> World:
    def left(position: int, step: Step) -> Step:
        if not isinstance(step, Submit | Send):
            return step
        return replace(step, rows=tuple(row for number, row in enumerate(step.rows) if (position, number) not in gone))

    return replace(world, steps=tuple(left(position, step) for position, step in enumerate(world.steps)))


def _others(world: World) -> list[object]:
    """Positions of the steps that hand over no exchange."""
    return [at for at, step in enumerate(world.steps) if not (isinstance(step, Submit) and step.rows)]


def _without_steps(world: World, gone: set[object]) -> World:
    return replace(world, steps=tuple(step for at, step in enumerate(world.steps) if at not in gone))


def _entries(world: World) -> list[object]:
    """Positions (step, entry) of what commands tell single stations."""
    return [
        (position, entry)
        for position, step in enumerate(world.steps)
        if isinstance(step, Change) and len(step.entries) > 1
        for entry in range(len(step.entries))
    ]


def _without_entries(world: World, gone: set[object]) -> World:
    def left(position: int, step: Step) -> Step:
        if not isinstance(step, Change):
            return step
        kept = tuple(entry for number, entry in enumerate(step.entries) if (position, number) not in gone)
        return replace(step, entries=kept)

    return replace(world, steps=tuple(left(position, step) for position, step in enumerate(world.steps)))
