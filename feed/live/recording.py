"""A live run as it was: what the brain was told, and digests of what it commanded, appended record by record.

The file begins with a line that names its kind and version. Each record after it is a length, a checksum and a
compressed pickle-free body: a JSON document, then its arrays. A run that was killed leaves a torn last record, which a
reader leaves out and says so; a checksum that does not fit anywhere else is an error.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from math import isfinite, prod
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import numpy as np

from router_core.errors import BadInputError
from strategies.brain import (
    DemandReported,
    Event,
    ParticlesCollected,
    RunEnded,
    SlotStarted,
    StationsChanged,
    TelemetryArrived,
)

MAGIC: Final = b"exchange-router recording 1\n"
HEAD: Final = struct.Struct("<II")
BODY_BYTES_MAX: Final = 64 << 20
LEVEL: Final = 1  # a day of a province is some hundred megabytes uncompressed; the control step must not wait
EVENTS: Final[dict[str, type[Event]]] = {
    kind.__name__: kind
    for kind in (SlotStarted, TelemetryArrived, DemandReported, StationsChanged, ParticlesCollected, RunEnded)
}
# What reading a record that no recorder wrote may raise.
_DAMAGE: Final = (zlib.error, struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError)
DTYPES: Final = frozenset({"<f8", "<i8", "<i4", "|i1", "|b1"})


@dataclass(frozen=True, eq=False)
class Recorded:
    """One event and what the brain commanded at it.

    Attributes
    ----------
    number : int
        From 0.
    event : Event
    commands : tuple of str
        Lines of `CommandDigests`.
    """

    number: int
    event: Event
    commands: tuple[str, ...]


class Recorder:
    """Appends to a new recording.

    Parameters
    ----------
    path : Path
        Made new; an existing file is refused.
    header : dict
        What made the run: brain, scenario, digests, start; JSON's types.

    Raises
    ------
    BadInputError
        If the file exists.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        except FileExistsError:
            raise BadInputError(
                "recording", "must be a new file: recordings are never overwritten", str(path)
            ) from None
        self._file.write(MAGIC)
        self._append(_packed({"header": header}, {}))

    def record(self, event: Event, commands: Sequence[str]) -> None:
        """Append one event and the lines of what was commanded at it."""
        scalars: dict[str, Any] = {}
        arrays: dict[str, Any] = {}
        for field in fields(event):
            value = getattr(event, field.name)
            (arrays if isinstance(value, np.ndarray) else scalars)[field.name] = value
        document = {"event": type(event).__name__, "scalars": scalars, "commands": list(commands)}
        self._append(_packed(document, arrays))

    def _append(self, body: bytes) -> None:
        self._file.write(HEAD.pack(len(body), zlib.crc32(body)) + body)
        self._file.flush()

    def close(self) -> None:
        """End the recording; it survives a loss of power from then on."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def read_header(path: Path) -> dict[str, Any]:
    """Return what made the run; raises `BadInputError` if the file is no recording."""
    with path.open("rb") as file:
        _, document, _ = next(_records(file, path), (0, None, {}))
    if document is None or not isinstance(document.get("header"), dict):
        raise BadInputError("recording", "must begin with its header", None, str(path))
    header: dict[str, Any] = document["header"]
    return header


def read_recording(path: Path) -> Iterator[Recorded]:
    """Return events and commands in order; a torn last record is left out.

    Raises
    ------
    BadInputError
        If the file is no recording, or is damaged before its end.
    """
    with path.open("rb") as file:
        for number, document, arrays in _records(file, path):
            if number:
                kind = EVENTS.get(str(document.get("event")))
                try:
                    assert kind is not None
                    _check_fields(kind, document["scalars"], arrays)
                    event = kind(**document["scalars"], **arrays)
                    commands = tuple(str(line) for line in document["commands"])
                except (AssertionError, KeyError, TypeError, AttributeError) as error:
                    rule = "must be an event and its commands"
                    raise BadInputError(f"record {number}", rule, str(error), str(path)) from None
                yield Recorded(number - 1, event, commands)


def _check_fields(kind: type[Event], scalars: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Refuse an event whose numbers are no whole ones, or arrays where numbers belong: a brain goes by their types."""
    whole = {field.name for field in fields(kind) if field.type == "int"}
    if scalars.keys() != whole or arrays.keys() != {field.name for field in fields(kind)} - whole:
        raise TypeError(f"a {kind.__name__} has other fields")
    for name, value in scalars.items():
        if type(value) is not int or not -(2**63) <= value < 2**63:
            raise TypeError(f"{name} must be a whole number of 64 bits")


def _packed(document: dict[str, Any], arrays: dict[str, Any]) -> bytes:
    shapes = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    text = json.dumps(document | {"arrays": shapes}, separators=(",", ":"), allow_nan=False).encode()
    whole = b"".join(
        [struct.pack("<I", len(text)), text, *(np.ascontiguousarray(one).tobytes() for one in arrays.values())]
    )
    return zlib.compress(whole, LEVEL)


def _records(file: BinaryIO, path: Path) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    if file.read(len(MAGIC)) != MAGIC:
        raise BadInputError("recording", "must begin as a recording of this version does", path.name, str(path))
    number = 0
    while len(head := file.read(HEAD.size)) == HEAD.size:
        length, checksum = HEAD.unpack(head)
        body = file.read(length) if length <= BODY_BYTES_MAX else b""
        if len(body) < length and not file.read(1):
            return  # torn by a kill
        if len(body) != length or zlib.crc32(body) != checksum:
            raise BadInputError(f"record {number}", "must have the checksum that it says", checksum, str(path))
        try:
            yield number, *_unpacked(body)
        except _DAMAGE as error:
            raise BadInputError(f"record {number}", "must be what a recorder writes", str(error), str(path)) from None
        number += 1


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    value = float(text)
    return value if isfinite(value) else _no_constant(text)


def _unpacked(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    inflater = zlib.decompressobj()
    whole = inflater.decompress(body, BODY_BYTES_MAX)
    if inflater.unconsumed_tail:
        raise ValueError(f"more than {BODY_BYTES_MAX} bytes")
    (length,) = struct.unpack_from("<I", whole)
    document = json.loads(whole[4 : 4 + length], parse_constant=_no_constant, parse_float=_finite)
    place = 4 + length
    arrays = {}
    for name, (dtype, shape) in document.pop("arrays").items():
        if dtype not in DTYPES:
            raise ValueError(f"dtype {dtype}")
        # Python's own product: numpy's wraps round, and takes what are no whole numbers.
        if not all(type(length) is int and 0 <= length <= BODY_BYTES_MAX for length in shape):
            raise ValueError(f"shape {shape}")
        count = prod(shape)
        if count > BODY_BYTES_MAX:
            raise ValueError(f"shape {shape}")
        arrays[name] = np.frombuffer(whole, dtype=dtype, count=count, offset=place).reshape(shape).copy()
        place += arrays[name].nbytes
    return document, arrays
