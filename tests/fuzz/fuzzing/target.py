"""What is fuzzed: one parser, the inputs to begin with, and how they are changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from feed.refusals import RefusedBundleError
from router_core.errors import BadInputError

# A changed input, from one of the corpus, a stream of random numbers, and all the corpus.
Mutate = Callable[[bytes, Random, Sequence[bytes]], bytes]


class BrokenLawError(Exception):
    """An input was taken, and something that holds of whatever is taken does not hold."""


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes
    ----------
    name : str
    reads : str
        What it reads, and by which function of the product.
    parse : callable
        Gives one input to the parser, and holds what was taken against the parser's laws; what it returns is not None
        if the input was taken.
    seeds : callable
        Small valid inputs, made by the product's own writers wherever there are any; it may be told the folder in
        which nothing is yet.
    mutate : callable
    declared : tuple of exceptions
        What the parser's docstring says that it raises; nothing else may come out of it.
    cost : float
        Rough milliseconds an input takes; the tests give slow targets fewer inputs.
    bytes_max : int
        Longer inputs are cut: an input that is long may take long.
    """

    name: str
    reads: str
    parse: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Mutate
    declared: tuple[type[Exception], ...] = field(default=(BadInputError, RefusedBundleError))
    cost: float = 0.1
    bytes_max: int = 48 << 10


def hold(law: str, kept: object, *shown: object) -> None:
    """Raise `BrokenLawError` unless the law is kept; not `assert`, which a parser of the product may catch."""
    if not kept:
        raise BrokenLawError(f"{law}: {', '.join(repr(one)[:300] for one in shown)}")


@cache
def own_folder() -> Path:
    """A folder of this process for files that parsers want to open, in memory where the machine has such a place."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return Path(mkdtemp(prefix=f"fuzz-{os.getpid()}-", dir=place))


def as_file(data: bytes, name: str) -> Path:
    """Write an input to the one file of that name, readable by its owner alone, and return it."""
    path = own_folder() / name
    # Opened anew, not replaced: this is done a hundred million times.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)
    return path
