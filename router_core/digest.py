"""A digest of plain immutable objects, so that results can say what they were computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum

import numpy as np


def digest_of(value: object) -> str:
    """Return SHA-256 in hex over a canonical form of `value`.

    Dataclasses, tuples, lists, dicts, arrays, enums, strings, numbers, booleans and None are understood; the names
    of fields and the types and shapes of arrays count.

    Raises
    ------
    TypeError
        For anything else: an object without a canonical form has no digest.
    """
    state = hashlib.sha256()
    for piece in _canonical(value):
        state.update(len(piece).to_bytes(8, "little"))
        state.update(piece)
    return state.hexdigest()


def _canonical(value: object) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"array {value.dtype.str} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif is_dataclass(value) and not isinstance(value, type):
        yield f"object {type(value).__name__}".encode()
        for field in fields(value):
            yield field.name.encode()
            yield from _canonical(getattr(value, field.name))
    elif isinstance(value, dict):
        yield f"dict {len(value)}".encode()
        for key in sorted(value):
            yield from _canonical(key)
            yield from _canonical(value[key])
    elif isinstance(value, (tuple, list)):
        yield f"list {len(value)}".encode()
        for item in value:
            yield from _canonical(item)
    elif isinstance(value, Enum):
        yield f"enum {value.value!r}".encode()
    elif value is None or isinstance(value, (bool, int, float, str)):
        yield f"{type(value).__name__} {value!r}".encode()
    else:
        raise TypeError(f"no canonical form for {type(value).__name__}")
