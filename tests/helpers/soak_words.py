"""Words of the soaks' command lines: each refuses what it cannot mean in one line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Collection

SEED_MAX = 2**62
NONE = "none"


def a_count(text: str) -> int:
    """Return a number of things to do, at least 1."""
    return _whole(text, 1, SEED_MAX)


def a_seed(text: str) -> int:
    """Return a seed."""
    return _whole(text, 0, SEED_MAX)


def numbers(text: str) -> tuple[int, ...]:
    """Return numbers joined by commas, or none of them for ``none``."""
    return () if text == NONE else tuple(_whole(one, 0, SEED_MAX) for one in text.split(","))


def some_of(known: Collection[str], what: str) -> Callable[[str], tuple[str, ...]]:
    """Return what reads names joined by commas, each of which must be known."""

    def read(text: str) -> tuple[str, ...]:
        names = () if text == NONE else tuple(text.split(","))
        for name in names:
            if name not in known:
                raise ArgumentTypeError(f"no {what} has the name {name!r}; there are {', '.join(known)}")
        return names

    return read


def _whole(text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise ArgumentTypeError(f"must be a whole number of at least {least}, got {text!r}")
    return value
