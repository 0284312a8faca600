"""A bundle as bytes: a zip of stored members, written in one way only, so that equal content is equal bytes.

Members are not compressed: what a compressor makes of them differs between versions of its library, and what is not
compressed cannot be a bomb. The link compresses (`feed.bundle.delta`, HTTP). Any zip tool reads such a file; the
reader here takes only what the writer here would have written, to the byte.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from feed.bundle.bundle import Bundle
from feed.bundle.documents import ENVELOPE_FILE, MANIFEST_FILE, PATH_PATTERN, FileEntry
from feed.bundle.manifest import entry_of, manifest_of
from feed.refusals import Refusal, RefusedBundleError
from router_core.errors import BadInputError

# Signature, version, flags, method, time, date, CRC, packed, unpacked, length of name, of extra.
LOCAL: Final = struct.Struct("<4s5H3I2H")
# Signature, made by, then as above; length of comment, disk, attributes (2), offset of the local header.
CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
# Signature, disks (2), members (2), bytes and offset of the directory, length of comment.
END: Final = struct.Struct("<4s4H2IH")
LOCAL_MARK: Final = b"PK\x03\x04"
VERSION: Final = 20
UNIX: Final = 3 << 8
NO_TIME: Final = (0, 0x21)  # 1980-01-01, the earliest that a zip can say
MODE: Final = 0o100644 << 16
STORED: Final = 0
# From here on a zip needs other fields, which this format has not.
MEMBERS_END: Final = 2**16 - 1
BYTES_END: Final = 2**32 - 1
_PATH: Final = re.compile(PATH_PATTERN)


@dataclass(frozen=True)
class Limits:
    """What is beyond these is refused before it is looked at.

    Attributes
    ----------
    bundle_bytes_max : int
        A bundle or a delta as it comes.
    unpacked_bytes_max : int
        What a delta unfolds to.
    file_bytes_max, manifest_bytes_max, envelope_bytes_max : int
        One member.
    members_max : int
    """

    bundle_bytes_max: int = 64 << 20
    unpacked_bytes_max: int = 64 << 20
    file_bytes_max: int = 16 << 20
    manifest_bytes_max: int = 8 << 20
    envelope_bytes_max: int = 16 << 20
    members_max: int = 20_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise BadInputError(f"limits.{name}", "must be at least 1", value)

    def of(self, member: str) -> int:
        """Return how many bytes a member may have."""
        by_name = {MANIFEST_FILE: self.manifest_bytes_max, ENVELOPE_FILE: self.envelope_bytes_max}
        return by_name.get(member, self.file_bytes_max)


def pack(bundle: Bundle) -> bytes:
    """Return a bundle as bytes.

    Raises
    ------
    BadInputError
        If it has more members or bytes than the format can say.
    """
    return write_members(_members(bundle))


def unpack(data: bytes, limits: Limits | None = None, *, package: bool = False) -> Bundle:
    """Return the bundle that these bytes are, every file checked against the manifest.

    Whether anybody signed it is another question: `feed.bundle.manifest.check_signature`.

    Parameters
    ----------
    data : bytes
    limits : Limits, optional
    package : bool
        Whether files of the manifest may be missing.

    Raises
    ------
    RefusedBundleError
        OVERSIZED, MALFORMED, SCHEMA (of the manifest) or ALTERED.
    """
    bundle = opened(data, limits)
    check_files(bundle, package=package)
    return bundle


def opened(data: bytes, limits: Limits | None = None) -> Bundle:
    """Return the bundle that these bytes are; its files are not looked at yet, `check_files` does that.

    Raises
    ------
    RefusedBundleError
        OVERSIZED, MALFORMED or, of the manifest, SCHEMA.
    """
    members = read_members(data, limits or Limits())
    manifest_json = members.pop(MANIFEST_FILE, None)
    if manifest_json is None:
        raise RefusedBundleError(Refusal.MALFORMED, f"bundle: must hold {MANIFEST_FILE}")
    envelope_json = members.pop(ENVELOPE_FILE, None)
    return Bundle(manifest_json, manifest_of(manifest_json), members, envelope_json)


def check_files(bundle: Bundle, *, package: bool = False) -> None:
    """Refuse files that are not those of the manifest: lengths, both digests, none unlisted, none missing.

    Raises
    ------
    RefusedBundleError
        ALTERED.
    """
    listed = {entry.path: entry for entry in bundle.manifest.files}
    for path, data in bundle.files.items():
        entry = listed.get(path)
        if entry is None:
            raise RefusedBundleError(Refusal.ALTERED, f"{path}: must be listed in the manifest")
        _check_file(entry, data)
    missing = next((path for path in listed if path not in bundle.files), None)
    if missing is not None and not package:
        raise RefusedBundleError(Refusal.ALTERED, f"{missing}: must be there, the manifest lists it")


def _check_file(entry: FileEntry, data: bytes) -> None:
    if len(data) != entry.length:
        detail = f"{entry.path}: must have {entry.length} bytes by the manifest, not {len(data)}"
        raise RefusedBundleError(Refusal.ALTERED, detail)
    found = entry_of(entry.path, data)
    for name in ("sha256", "sm3"):
        if getattr(found, name) != getattr(entry, name):
            rule = f"must be {getattr(entry, name)[:16]}... by the manifest"
            raise RefusedBundleError(
                Refusal.ALTERED, f"{entry.path}: {name} {rule}, not {getattr(found, name)[:16]}..."
            )


def _members(bundle: Bundle) -> dict[str, bytes]:
    first = {MANIFEST_FILE: bundle.manifest_json}
    if bundle.envelope_json is not None:
        first[ENVELOPE_FILE] = bundle.envelope_json
    return first | {path: bundle.files[path] for path in sorted(bundle.files)}


def write_members(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of these members in this order, stored."""
    size = sum(LOCAL.size + CENTRAL.size + 2 * len(name) + len(data) for name, data in members.items())
    for what, value, end in (("members", len(members), MEMBERS_END), ("bytes", size, BYTES_END)):
        if value >= end:
            raise BadInputError(f"bundle: {what}", f"must be fewer than {end:,}", value)
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for path, data in members.items():
        name = path.encode("ascii")
        common = (VERSION, 0, STORED, *NO_TIME, zlib.crc32(data), len(data), len(data), len(name), 0)
        directory += [CENTRAL.pack(b"PK\x01\x02", UNIX | VERSION, *common, 0, 0, 0, MODE, offset), name]
        parts += [LOCAL.pack(LOCAL_MARK, *common), name, data]
        offset += LOCAL.size + len(name) + len(data)
    count, length = len(members), sum(map(len, directory))
    return b"".join([*parts, *directory, END.pack(b"PK\x05\x06", 0, 0, count, count, length, offset, 0)])


def read_members(data: bytes, limits: Limits) -> dict[str, bytes]:
    """Return the members of what `write_members` wrote, in order.

    The directory at the end is not read: members are taken one after the other, and then the whole is held against
    what the writer makes of them. So there is one reading of it, and nothing beside, between or behind them.

    Raises
    ------
    RefusedBundleError
        OVERSIZED or MALFORMED.
    """
    if len(data) > limits.bundle_bytes_max:
        _oversized("bundle", limits.bundle_bytes_max, len(data), "bytes")
    members: dict[str, bytes] = {}
    offset = 0
    while data[offset : offset + 4] == LOCAL_MARK:
        if len(data) - offset < LOCAL.size:
            raise _malformed("bundle", "must not be cut off", f"{len(data)} bytes")
        _, _, flags, method, _, _, _, _, length, of_name, of_extra = LOCAL.unpack_from(data, offset)
        begin = offset + LOCAL.size + of_name
        name = data[offset + LOCAL.size : begin].decode("latin-1")
        offset = begin + of_extra + length
        if flags or method != STORED or of_extra:
            raise _malformed(f"member {name!r}", "must be stored, not encrypted, and without extras", (flags, method))
        if not (_PATH.fullmatch(name) or name in (MANIFEST_FILE, ENVELOPE_FILE)):
            raise _malformed("member", "must be named as files of a bundle are", name)
        if name in members:
            raise _malformed(f"member {name}", "must come once", "twice")
        if length > limits.of(name):
            _oversized(f"member {name}", limits.of(name), length, "bytes")
        if offset > len(data):
            raise _malformed(f"member {name}", "must not be cut off", f"{len(data) - begin} of {length} bytes")
        members[name] = data[begin:offset]
        if len(members) > limits.members_max:
            _oversized("bundle", limits.members_max, len(members), "members")
    if not members or write_members(members) != data:
        rule = "must be a zip as bundles are written, with nothing beside its members"
        raise _malformed("bundle", rule, f"{len(data)} bytes")
    return members


def _oversized(place: str, limit: int, value: int, what: str) -> None:
    raise RefusedBundleError(Refusal.OVERSIZED, f"{place}: must have at most {limit:,} {what}, not {value:,}")


def _malformed(place: str, rule: str, value: object) -> RefusedBundleError:
    return RefusedBundleError(Refusal.MALFORMED, f"{place}: {rule}, not {value!r}")
