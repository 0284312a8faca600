"""Packages: of a bundle, the files that one front-end needs; the signature over the whole manifest serves them all."""

from __future__ import annotations

from feed.bundle.bundle import Bundle
from feed.bundle.documents import (
    PLATFORM_FILE,
    SHARED_FILES,
    Manifest,
    PlatformDocument,
    nifi_file,
    now_file,
    read,
    relations_file,
    routes_file,
)
from feed.refusals import Refusal, RefusedBundleError


def scope_files(manifest: Manifest, platform: PlatformDocument, scope: str) -> tuple[str, ...]:
    """Return which files of a manifest an endpoint needs, ascending: the shared ones, and those of its group.

    Raises
    ------
    RefusedBundleError
        WRONG_SCOPE if the platform has no such endpoint.
    """
    group = platform.endpoints.get(scope)
    if group is None:
        raise RefusedBundleError(Refusal.WRONG_SCOPE, f"scope: must be an endpoint of the platform, not {scope[:80]!r}")
    wanted = {*SHARED_FILES, *(name(group) for name in (routes_file, now_file, relations_file, nifi_file))}
    return tuple(entry.path for entry in manifest.files if entry.path in wanted)


def package(bundle: Bundle, scope: str) -> Bundle:
    """Return what an endpoint needs of a bundle, with the same manifest and envelope.

    Raises
    ------
    RefusedBundleError
        WRONG_SCOPE if the platform has no such endpoint.
    """
    platform = read(PlatformDocument, bundle.files[PLATFORM_FILE], PLATFORM_FILE)
    return package_of(bundle, platform, scope)


def package_of(bundle: Bundle, platform: PlatformDocument, scope: str) -> Bundle:
    """Do as `package` where the bundle's platform is read already."""
    files = {path: bundle.files[path] for path in scope_files(bundle.manifest, platform, scope)}
    return Bundle(bundle.manifest_json, bundle.manifest, files, bundle.envelope_json)
