"""Times of the numba kernels over that of a reference kernel; run by path, so that they may be another revision's.

`python benchmarks/gates/kernel_work.py SPAN_S [KERNEL...]` prints one JSON document. A kernel's arguments are those of
a real call: a scene does through public functions what callers do, and the largest call of each kernel is kept. The
same call is then repeated, in turns with the reference, and must bring the same arrays. What changes in place is put
back outside the clock; the minimum of each stands for what the work takes when nobody disturbs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter_ns
from typing import Any

import numpy as np
from kernel_scenes import SCENES
from numba import njit
from numpy.typing import NDArray

# Turns in which a kernel and the reference are timed, at least.
TURNS_MIN = 20
# A short kernel is repeated within its turn, so that the reference does not take most of the time.
TURN_NS, REPEATS_MAX = 400_000, 40
LINE_BYTES = 64


@njit(cache=True)
def reference(place: NDArray[np.int64], table: NDArray[np.int64]) -> int:
    """Add numbers where other numbers say: what most kernels do most of the time.

    Four sums that do not wait for each other, and nothing is written: one chain of additions through memory slowed
    down otherwise than kernels do when a neighbour took the other half of the core (ratios then differed by a third).
    """
    first = second = third = fourth = 0
    for row in range(0, len(place) - 3, 4):
        first += table[place[row]]
        second += table[place[row + 1]]
        third ^= table[place[row + 2]]
        fourth += table[place[row + 3]] & 7
    return first + second + third + fourth


@dataclass(frozen=True, eq=False)
class Call:
    """A kernel's call: arguments as they were before and after, and what came back."""

    kernel: Callable[..., Any]
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    result: Any

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in arrays(self.before))


def arrays(value: Any) -> Iterator[NDArray[Any]]:
    """All arrays in an argument, in order."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from arrays(one)


def copied(value: Any) -> Any:
    """The same with arrays of its own, read-only where they were: the compiler makes another kernel for others.

    They begin where a cache line does, as how an array lies changes a short kernel's time by a fifth.
    """
    if isinstance(value, np.ndarray):
        own = aligned(value)
        own[...] = value
        own.setflags(write=value.flags.writeable)
        return own
    if isinstance(value, tuple):
        return type(value)(*map(copied, value)) if hasattr(value, "_fields") else tuple(map(copied, value))
    return value


def aligned(like: NDArray[Any]) -> NDArray[Any]:
    """An array of the same shape, type and order that begins on a cache line."""
    room = np.empty(like.nbytes + LINE_BYTES, np.uint8)
    begin = -room.ctypes.data % LINE_BYTES
    order: Any = "F" if like.flags.f_contiguous and not like.flags.c_contiguous else "C"
    return np.ndarray(like.shape, like.dtype, room.data, begin, order=order)


def same(one: Any, other: Any) -> bool:
    """Whether two results are equal to the bit, NaN included."""
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(same(*both) for both in zip(one, other, strict=True))
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


@contextmanager
def recorded(wanted: dict[str, Callable[..., Any]], calls: dict[str, Call]) -> Iterator[None]:
    """Keep the first of the largest calls of each kernel that Python makes meanwhile."""
    places = []

    def keeper(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def act(*given: Any) -> Any:
            before = copied(given)
            result = kernel(*given)
            call = Call(kernel, before, copied(given), copied(result))
            if name not in calls or call.size > calls[name].size:
                calls[name] = call
            return result

        return act

    for module in list(sys.modules.values()):
        for attribute, value in list(vars(module).items()) if hasattr(module, "__dict__") else ():
            for name, kernel in wanted.items():
                if value is kernel:
                    places.append((module, attribute, kernel))
                    setattr(module, attribute, keeper(name, kernel))
    try:
        yield
    finally:
        for module, attribute, kernel in places:
            setattr(module, attribute, kernel)


def gathered(names: frozenset[str]) -> dict[str, Call]:
    """One call of each of these kernels that this revision has; each scene is compiled before it is looked at."""
    calls: dict[str, Call] = {}
    for scene in SCENES:
        wanted = {}
        for name in names.intersection(scene.kernels):
            module, attribute = name.rsplit(".", 1)
            kernel = getattr(import_module(module), attribute, None)
            if kernel is not None:
                wanted[name] = kernel
        if wanted:
            act = scene.prepare()
            act()
            with recorded(wanted, calls):
                act()
    return calls


def ratio(call: Call, place: NDArray[np.int64], table: NDArray[np.int64], span_ns: int) -> float:
    """Least time of the call by least time of the reference, in turns."""
    given = copied(call.before)
    pairs = [
        (mine, fresh)
        for mine, fresh, changed in zip(arrays(given), arrays(call.before), arrays(call.after), strict=True)
        if not same(fresh, changed)
    ]

    def timed(*, look: bool = False) -> int:
        for mine, fresh in pairs:
            mine[...] = fresh
        begun = perf_counter_ns()
        result = call.kernel(*given)
        taken = perf_counter_ns() - begun
        if look and not (same(result, call.result) and all(map(same, arrays(given), arrays(call.after)))):
            raise AssertionError(f"{call.kernel.__name__}: the same call brought something else")
        return taken

    timed(look=True)
    repeats = max(1, min(REPEATS_MAX, TURN_NS // min(timed() for _ in range(3))))
    ours = least = 2**62
    begun = perf_counter_ns()
    turns = 0
    while turns < TURNS_MIN or perf_counter_ns() - begun < span_ns:
        turns += 1
        started = perf_counter_ns()
        reference(place, table)
        least = min(least, perf_counter_ns() - started)
        ours = min(ours, *(timed() for _ in range(repeats)), 2**62)
    timed(look=True)
    return ours / least


def main(span_s: str, *names: str) -> None:
    """Print the ratios of these kernels, or of all, each looked at for so many seconds."""
    known = frozenset(name for scene in SCENES for name in scene.kernels)
    calls = gathered(known.intersection(names) if names else known)
    random = np.random.default_rng(1)
    place, table = random.integers(0, 2**13, 2**17), random.integers(0, 256, 2**13)
    reference(place, table)
    print(json.dumps({name: ratio(calls[name], place, table, round(float(span_s) * 1e9)) for name in sorted(calls)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
