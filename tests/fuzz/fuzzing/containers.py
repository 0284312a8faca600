"""Changes inside what is packed: zips, arrays, compressed streams, Parquet. The outer layers are made right again."""

from __future__ import annotations

import ast
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuzzing.mutating import scratched
from fuzzing.target import Mutate
from fuzzing.trees import changed_json

_TIME: Final = (1980, 1, 1, 0, 0, 0)
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_NAMES: Final = ("a.npy", "../a.npy", "brain.json", "nodes.npy", "links.npy", "x", "/a", "é.npy", "a" * 200 + ".npy")


def zip_of(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED, odd: Collection[str] = ()) -> bytes:
    """Return a zip of these members, always the same bytes; odd ones are compressed in a way that is rare."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in members.items():
            how = zipfile.ZIP_LZMA if name in odd else method
            archive.writestr(zipfile.ZipInfo(name, _TIME), data, how, 1 if how == zipfile.ZIP_DEFLATED else None)
    return held.getvalue()


def members_of(data: bytes) -> dict[str, bytes] | None:
    """Return the members of a zip that is sound and small; None of anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(one.file_size for one in archive.infolist()) > 1 << 20:
                return None
            return {one.filename: archive.read(one) for one in archive.infolist()}
    except Exception:  # a damaged zip raises whatever its bytes happen to lead to
        return None


def changed_zip(inner: Callable[[str], Mutate]) -> Mutate:
    """Change members of a zip, each as its name says."""

    def change(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
        members = members_of(data) if random.random() < 0.8 else None
        if not members:
            return scratched(data, random, others)
        names = list(members)
        for _ in range(1 + int(random.expovariate(1.5))):
            name = random.choice(names)
            match random.randrange(10):
                case 0:
                    members.pop(name, None)
                case 1:
                    members[random.choice(_NAMES)] = members.get(name, b"")
                case 2:
                    members[name] = members.get(random.choice(names), b"")
                case _:
                    members[name] = inner(name)(members.get(name, b""), random, ())
        odd = [random.choice(names)] if random.random() < 0.05 else []
        made = zip_of(members, random.choice(_METHODS) if len(members) < 20 else zipfile.ZIP_DEFLATED, odd)
        # A size that is not the member's own: whoever believes it reads too much, or asks for too much memory.
        if random.random() < 0.1 and (place := made.rfind(b"PK\x01\x02")) >= 0:
            changed = bytearray(made)
            struct.pack_into("<I", changed, place + 24, random.choice((0, 1, 2**20, 2**31, 2**32 - 2)))
            return bytes(changed)
        return made

    return change


_SHAPES: Final = (
    *(
        (),
        (0,),
        (1,),
        (2, 2),
        (0, 3),
        (10**30, 0),
        (2**40,),
        (2**62, 4),
        (2**63,),
        (-1,),
        (-1, -1),
        (1,) * 40,
        (3, 0, 2**62),
    ),
    *((True,), (1.5,), "a", None, (2**31,), (2**27,)),
)
_DTYPES: Final = (
    *(
        "<f8",
        "<f4",
        "<i8",
        "<i4",
        ">i4",
        "|b1",
        "|i1",
        "<u8",
        "<M8[s]",
        "<M8[ns]",
        "<M8",
        "<U4",
        "<U0",
        "|S3",
        "|O",
        "<c16",
    ),
    *(
        "<f2",
        "|V0",
        "|V8",
        "<m8[s]",
        "<U99999999",
        "nonsense",
        [("a", "<f8")],
        [],
        ("<f8", (2, 3)),
        "<f16",
        "<M8[fs]",
        "<M8[7D]",
    ),
)


def changed_npy(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change an array: its header's words, its values, or its bytes."""
    try:
        length = struct.unpack_from("<H", data, 8)[0]
        header = ast.literal_eval(data[10 : 10 + length].decode("latin-1"))
        body = data[10 + length :]
        assert isinstance(header, dict)
    except (struct.error, ValueError, SyntaxError, AssertionError, MemoryError, RecursionError):
        return scratched(data, random, others)
    match random.randrange(8):
        case 0:
            header["shape"] = random.choice(_SHAPES)
        case 1:
            header["descr"] = random.choice(_DTYPES)
        case 2:
            header["fortran_order"] = random.choice((True, 1, None, "x"))
        case 3:
            return scratched(data, random, others)
        case 4:
            header[random.choice(("x", "shape", ""))] = (len(body) // 8,)
        case _:
            body = _changed_values(header, body, random)
    return npy_of(header, body)


def npy_of(header: Mapping[str, Any], body: bytes) -> bytes:
    """Return the bytes of an array of format 1.0 from what its header is to say and its body."""
    text = repr(dict(header)).encode("latin-1", "replace") + b"\n"
    text = text.rjust(len(text)) + b""
    pad = -(len(text) + 10) % 64
    text = text[:-1] + b" " * pad + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) & 0xFFFF) + text + body


def _changed_values(header: Mapping[str, Any], body: bytes, random: Random) -> bytes:
    """Other values, as many: those get past the sizes."""
    try:
        dtype = np.dtype(header["descr"])
        values = np.frombuffer(body, dtype).copy()
    except (TypeError, ValueError, KeyError):
        return scratched(body, random)
    if not len(values):
        return scratched(body, random)
    for _ in range(1 + int(random.expovariate(1.0))):
        place = random.randrange(len(values))
        if dtype.kind == "f":
            values[place] = random.choice((np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 5e-324, 2.0, 1e12))
        elif dtype.kind in "iu":
            bounds = np.iinfo(dtype)
            values[place] = random.choice((bounds.min, bounds.max, 0, 1, len(values), min(bounds.max, 9_999)))
        elif random.random() < 0.5:
            values[place] = values[random.randrange(len(values))]
        else:
            raw = bytearray(values.tobytes())
            raw[random.randrange(len(raw))] ^= 1 << random.randrange(8)
            values = np.frombuffer(bytes(raw), dtype).copy()
    return values.tobytes()


def changed_zlib(inner: Mutate, head: bytes = b"") -> Mutate:
    """Change what a compressed stream holds, behind a fixed head."""

    def change(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
        if random.random() < 0.15 or not data.startswith(head):
            return scratched(data, random, others)
        try:
            whole = zlib.decompressobj().decompress(data[len(head) :], 1 << 20)
        except zlib.error:
            return scratched(data, random, others)
        return head + zlib.compress(inner(whole, random, others), 1)

    return change


def changed_parquet(key: bytes) -> Mutate:
    """Change the table of a Parquet file: rows, values, types, names, and the JSON document under a key."""

    def change(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
        if random.random() < 0.5:
            return scratched(data, random, others)
        try:
            table = pq.read_table(pa.BufferReader(data))
        except (pa.ArrowException, OSError, ValueError):
            return scratched(data, random, others)
        if len(table) > 10_000:
            return scratched(data, random, others)
        try:
            return parquet_of(_changed_table(table, key, random))
        except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError):
            return scratched(data, random, others)

    return change


def parquet_of(table: pa.Table, **how: Any) -> bytes:
    """Return a table as a file, every page with its checksum."""
    held = io.BytesIO()
    pq.write_table(table, held, **({"write_page_checksum": True, "row_group_size": max(1, len(table) // 2)} | how))
    return held.getvalue()


_TYPES: Final = (pa.int8(), pa.int32(), pa.int64(), pa.float64(), pa.string(), pa.uint64(), pa.binary(), pa.bool_())


def _changed_table(table: pa.Table, key: bytes, random: Random) -> pa.Table:  # noqa: PLR0911 - a case each
    about = dict(table.schema.metadata or {})
    if not table.num_columns:
        return table
    place = random.randrange(table.num_columns)
    name = table.column_names[place]
    match random.randrange(9):
        case 0 | 1 | 2:
            about[key] = changed_json(about.get(key, b"{}"), random, ())
            return table.replace_schema_metadata(about)
        case 3:
            return table.slice(random.randrange(len(table) + 1), random.randrange(len(table) + 1))
        case 4:
            return table.set_column(place, name, table.column(place).cast(random.choice(_TYPES), safe=False))
        case 5:
            return table.rename_columns(
                [*table.column_names[:place], random.choice(("x", "", "source")), *table.column_names[place + 1 :]]
            )
        case 6:
            return pa.concat_tables([table] * random.randint(2, 4))
        case _:
            values = table.column(place).to_pylist()
            if values:
                values[random.randrange(len(values))] = random.choice(_cells(table.schema.field(place).type))
            return table.set_column(
                place, table.schema.field(place).with_nullable(True), pa.array(values, table.schema.field(place).type)
            )


def _cells(kind: pa.DataType) -> Sequence[Any]:
    if pa.types.is_integer(kind):
        high = 2 ** (kind.bit_width - 1) - 1
        return (None, 0, 1, -1, 2, 100, high, -high - 1, high - 1)
    if pa.types.is_floating(kind):
        return (None, float("nan"), float("inf"), -1.0, 0.0, 1e300)
    return (None,)
