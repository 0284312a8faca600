"""Bundles of earlier versions stay readable, and mean what they meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from feed.bundle.archive import pack, unpack
from feed.bundle.manifest import etag_of
from feed.bundle.package import package
from feed.bundle.parsed import parse
from feed.bundle.rows import row_count, rows

DATA = Path(__file__).resolve().parent / "data"
KEPT = sorted(DATA.glob("*.bundle"))


def test_there_is_a_sample_of_every_version() -> None:
    assert [path.name for path in KEPT] == ["toy-schema-1.bundle"]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_kept_bundle_is_read_and_written_as_it_was(path: Path) -> None:
    data = path.read_bytes()
    bundle = unpack(data)
    assert pack(bundle) == data
    for scope in parse(bundle).platform.endpoints:
        assert parse(unpack(pack(package(bundle, scope)), package=True)).routes


def test_the_sample_of_version_1_means_what_it_meant() -> None:
    bundle = unpack((DATA / "toy-schema-1.bundle").read_bytes())
    parsed = parse(bundle)
    assert etag_of(bundle) == "1-d7865780205cbd74"
    assert (parsed.manifest.schema_version, parsed.manifest.epoch) == (1, 1)
    assert (parsed.release.begin, parsed.release.slots, parsed.release.slot_ns) == (
        "2026-04-30T00:00:00",
        30,
        3600 * 10**9,
    )
    assert row_count(parsed) == 182
    scope = next(iter(parsed.platform.endpoints))
    found = [(row.target, row.priority, row.weights) for row in rows(parsed, scope, 5)]
    assert (scope, found[0]) == ("east-finance-1", ("province", 2, (3, 2)))
