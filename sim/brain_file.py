"""What a brain learnt and planned, in one file: a zip of a JSON document and arrays. Equal content is equal bytes."""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.lending import lending
from router_core.network import Network
from router_core.platform import Platform
from strategies.static.parts import Arrays, Document
from strategies.static.prepare import Prepared
from strategies.tides.forecast import Forecast
from traces.atomic import written_whole

KIND: Final = "exchange-router brain"
VERSION: Final = 1
DOCUMENT: Final = "brain.json"
OUTLOOK: Final = ("p50", "p95", "mean", "provisional")
# A zip keeps the time of its members; this one is the earliest that it can say.
NO_TIME: Final = (1980, 1, 1, 0, 0, 0)
COMPRESSION: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LEVEL: Final = 3  # half the time of 6, and 5 % more bytes
# What is beyond these is no brain, and is not unpacked.
MEMBERS_MAX: Final = 1_000
DOCUMENT_BYTES_MAX: Final = 64 << 20
BYTES_MAX: Final = 8 << 30
ARRAY_NAME: Final = re.compile(r"[a-z0-9_.-]{1,100}")
DTYPES: Final = frozenset("?bBhHiIlLqQfd")
# What reading a file that is no zip, or a damaged one, may raise.
DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    IndexError,
    RuntimeError,
    OverflowError,
    SyntaxError,
    TokenError,
)


@dataclass(frozen=True, eq=False)
class BrainFile:
    """A file's content.

    Attributes
    ----------
    provenance : dict
        Where it comes from; JSON's types.
    prepared : Prepared
    outlook : Forecast
        Of each class as a whole, then of all together, in the planned hours.
    """

    provenance: Document
    prepared: Prepared
    outlook: Forecast


def write_brain(path: Path, content: BrainFile) -> None:
    """Write the file, whole or not at all."""
    learnt, arrays = content.prepared.parts()
    document = {"kind": KIND, "version": VERSION, "provenance": content.provenance, "prepared": learnt}
    write_parts(path, document, arrays | {f"outlook.{name}": getattr(content.outlook, name) for name in OUTLOOK})


def read_brain(path: Path, platform: Platform) -> BrainFile:
    """Read a file that was made for a platform's network.

    Raises
    ------
    BadInputError
        If it is missing, damaged, no such file, of another version, or made for another network.
    """
    document, arrays = read_parts(path)
    try:
        prepared = Prepared.from_parts(document["prepared"], arrays, platform.network)
    except BadInputError as error:
        if error.place == "plan.topology":
            rule = f"must be made for the network of scenario {platform.name} with its changes, by `brain fit`"
            raise BadInputError("brain", rule, document["provenance"].get("scenario"), str(path)) from None
        raise error.within(str(path)) from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadInputError("content", "must be what `brain fit` writes", str(error), str(path)) from None
    _check(prepared, platform.network, path)
    shape = (prepared.plan.grid.count, len(prepared.classes.classes) + 1)
    found = {name: arrays[f"outlook.{name}"] for name in OUTLOOK if f"outlook.{name}" in arrays}
    for name, wanted in (("p50", shape), ("p95", shape), ("mean", shape), ("provisional", shape[:1])):
        if name not in found or found[name].shape != wanted:
            raise BadInputError(f"outlook.{name}", f"must be of shape {wanted}", None, str(path))
    return BrainFile(document["provenance"], prepared, Forecast(prepared.plan.grid, **found))


def read_provenance(path: Path) -> Document:
    """Read only where a file comes from."""
    with _opened(path) as archive:
        provenance: Document = _document(archive, path)["provenance"]
    return provenance


def _check(prepared: Prepared, network: Network, path: Path) -> None:
    """Refuse parts that do not fit each other or the network, so that no kernel reads beyond its arrays."""
    plan, series, classes = prepared.plan, prepared.series, len(prepared.classes.classes)
    paths, groups, lines = plan.paths, len(network.groups), network.line_count
    pairs = len(paths.source)
    rules = {
        "plan.priority": len(plan.priority) == classes,
        "plan.node": np.array_equal(plan.node, lending(network).node),
        "plan.paths.pair_start": _starts(paths.pair_start, pairs, len(paths.path_start) - 1),
        "plan.paths.path_start": _starts(paths.path_start, len(paths.path_start) - 1, len(paths.path_station)),
        "plan.paths.path_station": _within(paths.path_station, network.station_count),
        "plan.paths.source": _within(paths.source, groups),
        "plan.paths.target": _within(paths.target, groups) and len(paths.target) == pairs,
        "series.class_count": series.class_count == classes,
        "series.demand_class": _within(series.demand_class, classes),
        "series.source_group": _within(series.source_group, groups) and len(series.source_group) == len(series),
        "series.target_group": _within(series.target_group, groups) and len(series.target_group) == len(series),
        "tides.series": prepared.tides.series == len(series),
        "lines.expected": prepared.lines is None or prepared.lines.expected.shape[-1] == lines,
    }
    for name, kept in rules.items():
        if not kept:
            raise BadInputError(name, "must fit the network and the other parts of the file", name, str(path))


def _starts(start: NDArray[np.int64], count: int, end: int) -> bool:
    """Whether these are the beginnings of `count` rows of `end` entries in all."""
    fits = len(start) == count + 1 and count >= 0 and start[0] == 0 and start[-1] == end
    return bool(fits and (np.diff(start) >= 0).all())


def _within(values: NDArray[Any], count: int) -> bool:
    return bool(((values >= 0) & (values < count)).all())


def write_parts(path: Path, document: Document, arrays: Arrays) -> None:
    """Write a document and arrays by name."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    with written_whole(path) as draft, zipfile.ZipFile(draft, "w") as archive:
        _add(archive, DOCUMENT, text.encode())
        for name in sorted(arrays):
            held = BytesIO()
            npy.write_array(held, np.asarray(arrays[name], order="C"), version=(1, 0), allow_pickle=False)
            _add(archive, f"{name}.npy", held.getvalue())


def read_parts(path: Path) -> tuple[Document, Arrays]:
    """Read what `write_parts` wrote; raises `BadInputError` if the file is something else."""
    with _opened(path) as archive:
        document = _document(archive, path)
        arrays: Arrays = {}
        for member in archive.infolist():
            if member.filename != DOCUMENT:
                name = member.filename.removesuffix(".npy")
                if not ARRAY_NAME.fullmatch(name) or name == member.filename:
                    raise BadInputError("member", "must be an array or the document", member.filename, str(path))
                arrays[name] = _array(archive.read(member), name)
    return document, arrays


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, NO_TIME)
    member.create_system = 3  # the same wherever it is written
    archive.writestr(member, data, zipfile.ZIP_DEFLATED, LEVEL)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a brain file; whatever damage the block then meets becomes one line."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            for name, value, limit in (("members", len(members), MEMBERS_MAX), ("bytes unpacked", size, BYTES_MAX)):
                if value > limit:
                    raise BadInputError(name, f"must be at most {limit:,}", value, str(path))
            odd = [member.filename for member in members if member.compress_type not in COMPRESSION]
            if odd:  # others unpack to thousands of times their size, and fail in ways of their own
                raise BadInputError(odd[0], "must be stored or deflated", "another compression", str(path))
            if len({member.filename for member in members}) < len(members):
                raise BadInputError("members", "must be named once each", len(members), str(path))
            yield archive
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.filename is not None:  # it cannot be opened; else its places are wrong
            raise
        rule = "must be a whole brain file, as `brain fit` writes it"
        raise BadInputError("file", rule, str(error), str(path)) from None


def _document(archive: zipfile.ZipFile, path: Path) -> Document:
    if DOCUMENT not in archive.namelist():
        raise BadInputError("file", f"must hold {DOCUMENT}, as a brain file does", archive.namelist()[:3], str(path))
    member = archive.getinfo(DOCUMENT)
    if member.file_size > DOCUMENT_BYTES_MAX:
        raise BadInputError(DOCUMENT, f"must have at most {DOCUMENT_BYTES_MAX:,} bytes", member.file_size, str(path))
    document = json.loads(archive.read(member))
    # NaN, and halves of surrogate pairs, could be read and neither shown nor written again.
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind != KIND:
        raise BadInputError("kind", f"must be {KIND}", kind, str(path))
    if document.get("version") != VERSION:
        rule = f"must be {VERSION}, the one this program reads"
        raise BadInputError("version", rule, document.get("version"), str(path))
    if not isinstance(document.get("provenance"), dict) or not isinstance(document.get("prepared"), dict):
        raise BadInputError("content", "must be what `brain fit` writes", sorted(document), str(path))
    result: Document = document
    return result


def _array(data: bytes, name: str) -> NDArray[Any]:
    """Take an array of plain numbers from its bytes; nothing else is ever made from them."""
    held = BytesIO(data)
    if npy.read_magic(held) != (1, 0):
        raise ValueError(f"{name} is of another format")
    shape, fortran, dtype = npy.read_array_header_1_0(held)
    if fortran or dtype.hasobject or dtype.char not in DTYPES or not dtype.isnative:
        raise ValueError(f"{name} holds {dtype}")
    rest = data[held.tell() :]
    count = 1
    for length in shape:
        count *= length
    if count * dtype.itemsize != len(rest):
        raise ValueError(f"{name} has {len(rest)} bytes for {shape} of {dtype}")
    # A copy, because kernels want arrays that could be written to.
    return np.frombuffer(rest, dtype).reshape(shape).copy()
