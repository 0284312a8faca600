"""A bundle in memory: its manifest, its files and, once signed, its envelope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from feed.bundle.documents import Manifest


@dataclass(frozen=True, eq=False)
class Bundle:
    """A policy to publish, or the part of one that an endpoint needs.

    Attributes
    ----------
    manifest_json : bytes
        The manifest as it is stored and signed; UTF-8.
    manifest : Manifest
        The same, parsed.
    files : mapping of str to bytes
        By path. A full bundle holds every file of the manifest; a package holds those of one scope.
    envelope_json : bytes or None
        DSSE envelope over `manifest_json`; None: not signed yet.
    """

    manifest_json: bytes
    manifest: Manifest
    files: Mapping[str, bytes]
    envelope_json: bytes | None = None
