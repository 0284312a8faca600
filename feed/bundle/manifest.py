"""The manifest: what a bundle is, and every file in it; made, read, signed and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from feed.bundle.bundle import Bundle
from feed.bundle.documents import MANIFEST_FILE, FileEntry, Manifest, broken, canonical_json, read
from feed.refusals import Refusal, RefusedBundleError
from feed.signing import dsse
from feed.signing.digests import sha256_hex, sm3_hex
from feed.signing.signer import Signer
from feed.signing.trust import Trust

ETAG_DIGITS: Final = 16
# Manifests that somebody holds, by their bytes: hundreds of agents in one process, or a server, read each once.
_MANIFESTS: WeakValueDictionary[bytes, Manifest] = WeakValueDictionary()


class KnownEntries:
    """Remembers the entry of each file as it was last asked for: what stays the same is hashed once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, FileEntry]] = {}

    def entry(self, path: str, data: bytes) -> FileEntry:
        """Return the entry of a file."""
        known = self._known.get(path)
        if known is None or known[0] != data:
            self._known[path] = known = (data, entry_of(path, data))
        return known[1]


def entry_of(path: str, data: bytes) -> FileEntry:
    """Return the entry of a file: its length and digests."""
    return FileEntry(path=path, length=len(data), sm3=sm3_hex(data), sha256=sha256_hex(data))


def content_of(files: Sequence[FileEntry]) -> str:
    """Return the digest over entries, in hex: SHA-256 over ``path SHA-256 length`` of each, a line each."""
    text = "".join(f"{entry.path} {entry.sha256} {entry.length}\n" for entry in files)
    return hashlib.sha256(text.encode()).hexdigest()


def make_manifest(
    files: Mapping[str, bytes],
    *,
    epoch: int,
    created: datetime,
    valid_from: datetime,
    soft_expiry: datetime,
    hard_expiry: datetime,
    topology: str,
    scenario: str,
    inputs: Mapping[str, str],
    provenance: Mapping[str, str],
    restores: int | None = None,
    known: KnownEntries | None = None,
) -> tuple[bytes, Manifest]:
    """Make the manifest of these files, as bytes and as a model; parameters are fields of `Manifest`.

    Parameters
    ----------
    known : KnownEntries, optional
        Digests of earlier publications' files.

    Raises
    ------
    RefusedBundleError
        SCHEMA, if a field breaks its rule.
    """
    entry = entry_of if known is None else known.entry
    entries = tuple(entry(path, files[path]) for path in sorted(files))
    fields = {
        "schema_version": 1,
        "epoch": epoch,
        "created": created,
        "valid_from": valid_from,
        "soft_expiry": soft_expiry,
        "hard_expiry": hard_expiry,
        "topology": topology,
        "scenario": scenario,
        "content": content_of(entries),
        "restores": restores,
        "inputs": dict(sorted(inputs.items())),
        "provenance": dict(sorted(provenance.items())),
        "files": [one.model_dump() for one in entries],
    }
    data = canonical_json(fields)
    return data, manifest_of(data)


def make_bundle(files: Mapping[str, bytes], **fields: object) -> Bundle:
    """Make an unsigned bundle of these files; the other arguments and errors are those of `make_manifest`."""
    manifest_json, manifest = make_manifest(files, **fields)  # type: ignore[arg-type]
    return Bundle(manifest_json, manifest, dict(files))


def manifest_of(data: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    RefusedBundleError
        MALFORMED or SCHEMA.
    """
    known = _MANIFESTS.get(data)
    if known is not None:
        return known
    manifest = read(Manifest, data, MANIFEST_FILE)
    content = content_of(manifest.files)
    if manifest.content != content:
        raise broken(MANIFEST_FILE, "content", f"must be {content[:16]}..., of the files listed", manifest.content)
    _MANIFESTS[data] = manifest
    return manifest


def etag_of(bundle: Bundle) -> str:
    """Return the name of a publication: epoch, and the first digits of the SHA-256 of its manifest."""
    return f"{bundle.manifest.epoch}-{sha256_hex(bundle.manifest_json)[:ETAG_DIGITS]}"


def sealed(bundle: Bundle, signers: Sequence[Signer]) -> Bundle:
    """Return the bundle signed by these, and by nobody else."""
    envelope = dsse.sign(bundle.manifest_json, dsse.PAYLOAD_TYPE, signers)
    return Bundle(bundle.manifest_json, bundle.manifest, bundle.files, envelope)


def check_signature(bundle: Bundle, trust: Trust, at: datetime) -> None:
    """Refuse a bundle whose very manifest is not signed by the threshold of trusted keys.

    Raises
    ------
    RefusedBundleError
        UNSIGNED, UNKNOWN_KEY, BAD_SIGNATURE, BELOW_THRESHOLD, MALFORMED; ALTERED if another manifest was signed.
    """
    if bundle.envelope_json is None:
        raise RefusedBundleError(Refusal.UNSIGNED, "bundle: must hold an envelope")
    payload = dsse.verify(bundle.envelope_json, dsse.PAYLOAD_TYPE, trust, at)
    if payload != bundle.manifest_json:
        raise RefusedBundleError(Refusal.ALTERED, f"{MANIFEST_FILE}: must be the one that was signed")
