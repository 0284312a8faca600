"""JSON that can be read in one way only, from whoever may have sent it."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def read_json(data: bytes, bytes_max: int) -> Any:
    """Return what a JSON text says.

    Raises
    ------
    ValueError
        If it is longer than `bytes_max`, no UTF-8, no JSON, names a field twice, nests too deep to be read, or holds
        what JSON has no word for; the text tells of none of its content.
    """
    if len(data) > bytes_max:
        raise ValueError(f"must have {bytes_max} bytes at most, and has {len(data)}")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"must be UTF-8, and is not at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"must be JSON, and is not at character {error.pos}") from None
    except RecursionError:
        raise ValueError("must not nest so deep") from None


def write_json(document: object) -> bytes:
    """Return the one JSON text of a document: fields in order of their names, no space, ASCII; equal is equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("must name each field once")
    return document


def _no_constant(_: str) -> NoReturn:
    raise ValueError("must hold finite numbers only")
