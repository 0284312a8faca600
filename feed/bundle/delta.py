"""What turns one bundle, or package, into another: changed files whole, the rest by what the reader has already.

A delta is `MARK` and a compressed container of members, as a bundle is one: ``delta.json`` and the files that changed.
Of the manifest it carries the entries that changed, and of the envelope all but the payload, which is the manifest.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from dataclasses import replace
from typing import Annotated, Final, Literal

from pydantic import Field

from feed.bundle.archive import Limits, check_files, pack, read_members, write_members
from feed.bundle.bundle import Bundle
from feed.bundle.documents import PATH_PATTERN, Digest, Document, Manifest, canonical_json, read
from feed.bundle.manifest import manifest_of
from feed.refusals import Refusal, RefusedBundleError
from feed.signing.digests import sha256_hex
from router_core.errors import BadInputError

MARK: Final = b"exchange-router delta 1\n"
DELTA_FILE: Final = "delta.json"
LEVEL: Final = 6
# A document lists what changed in the manifest, so it may be as long as one.
DOCUMENT_BYTES_MAX: Final = 16 << 20

Path = Annotated[str, Field(pattern=PATH_PATTERN, max_length=200)]


class DeltaDocument(Document):
    """``delta.json``.

    Attributes
    ----------
    version : int
    base, result : str
        SHA-256 of the packed bundle that it is made from, and of the one that it leads to.
    manifest : Manifest
        The new one; `files` has only entries that the old one has not.
    unlisted : tuple of str
        Paths of the old manifest that the new one has not.
    dropped : tuple of str
        Files of the base that the result does not hold.
    envelope : tuple of str, or None
        What stands before and behind the payload in the new envelope; None: it has no envelope.
    """

    version: Literal[1] = 1
    base: Digest
    result: Digest
    manifest: Manifest
    unlisted: tuple[Path, ...]
    dropped: tuple[Path, ...]
    envelope: tuple[str, str] | None


def diff(base: Bundle, result: Bundle) -> bytes:
    """Return what turns `base` into `result`; both full, or both packages of one scope, it works for any two.

    Raises
    ------
    BadInputError
        If the envelope of `result` is not over its manifest.
    """
    old = {entry.path: entry for entry in base.manifest.files}
    new = {entry.path: entry for entry in result.manifest.files}
    document = DeltaDocument(
        base=sha256_hex(pack(base)),
        result=sha256_hex(pack(result)),
        manifest=result.manifest.model_copy(
            update={"files": tuple(entry for path, entry in new.items() if old.get(path) != entry)}
        ),
        unlisted=tuple(sorted(old.keys() - new.keys())),
        dropped=tuple(sorted(base.files.keys() - result.files.keys())),
        envelope=_around_payload(result),
    )
    members = {DELTA_FILE: canonical_json(document)}
    for path in sorted(result.files):
        if base.files.get(path) != result.files[path]:
            members[path] = result.files[path]
    return MARK + zlib.compress(write_members(members), LEVEL)


def apply(delta: bytes, base: Bundle, limits: Limits | None = None) -> Bundle:
    """Return what a delta makes of the bundle that it was made from, every file checked against the new manifest.

    Files of the manifest may be missing in the result where they are missing in the base.

    Raises
    ------
    RefusedBundleError
        OVERSIZED, MALFORMED, SCHEMA, or ALTERED: of another base too.
    """
    limits = limits or Limits()
    members = read_members(
        _unfolded(delta, limits),
        replace(
            limits,
            bundle_bytes_max=limits.unpacked_bytes_max,
            file_bytes_max=max(limits.file_bytes_max, DOCUMENT_BYTES_MAX),
        ),
    )
    if DELTA_FILE not in members:
        raise RefusedBundleError(Refusal.MALFORMED, f"delta: must hold {DELTA_FILE}")
    document = read(DeltaDocument, members.pop(DELTA_FILE), DELTA_FILE)
    held = sha256_hex(pack(base))
    if document.base != held:
        raise RefusedBundleError(
            Refusal.ALTERED, f"delta: must be made from the bundle held, {held[:16]}..., not {document.base[:16]}..."
        )
    entries = {entry.path: entry for entry in base.manifest.files} | {
        entry.path: entry for entry in document.manifest.files
    }
    listed = tuple(entries[path] for path in sorted(entries.keys() - set(document.unlisted)))
    manifest_json = canonical_json(document.manifest.model_copy(update={"files": listed}))
    files = {path: data for path, data in base.files.items() if path not in document.dropped} | members
    envelope_json = None
    if document.envelope is not None:
        before, behind = document.envelope
        envelope_json = before.encode() + b64encode(manifest_json) + behind.encode()
    result = Bundle(manifest_json, manifest_of(manifest_json), files, envelope_json)
    check_files(result, package=len(base.files) < len(base.manifest.files))
    made = sha256_hex(pack(result))
    if made != document.result:
        raise RefusedBundleError(Refusal.ALTERED, f"delta: must lead to {document.result[:16]}..., not {made[:16]}...")
    return result


def _around_payload(bundle: Bundle) -> tuple[str, str] | None:
    """What stands in an envelope before and behind its payload."""
    if bundle.envelope_json is None:
        return None
    parts = bundle.envelope_json.split(b64encode(bundle.manifest_json))
    if len(parts) != 2:
        raise BadInputError("envelope", "must hold the manifest as its payload, once", len(parts) - 1)
    return parts[0].decode(), parts[1].decode()


def _unfolded(delta: bytes, limits: Limits) -> bytes:
    """Decompress, and stop as soon as it is too much."""
    if len(delta) > limits.bundle_bytes_max:
        rule = f"must have at most {limits.bundle_bytes_max:,} bytes"
        raise RefusedBundleError(Refusal.OVERSIZED, f"delta: {rule}, not {len(delta):,}")
    if not delta.startswith(MARK):
        raise RefusedBundleError(Refusal.MALFORMED, f"delta: must begin with {MARK.decode().strip()!r}")
    unfolding = zlib.decompressobj()
    try:
        data = unfolding.decompress(delta[len(MARK) :], limits.unpacked_bytes_max + 1)
    except zlib.error as error:
        raise RefusedBundleError(Refusal.MALFORMED, f"delta: {error}") from None
    if len(data) > limits.unpacked_bytes_max:
        rule = f"must unfold to at most {limits.unpacked_bytes_max:,} bytes"
        raise RefusedBundleError(Refusal.OVERSIZED, f"delta: {rule}")
    if not unfolding.eof or unfolding.unused_data:
        raise RefusedBundleError(Refusal.MALFORMED, "delta: must be whole, with nothing behind it")
    return data
