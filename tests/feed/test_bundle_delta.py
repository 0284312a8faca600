"""Deltas and packages: what comes out is what was meant, to the byte, and no more than that."""

from __future__ import annotations

import zlib
from base64 import b64encode
from dataclasses import replace
from random import Random

import pytest
from feed_bundles import bundle_of, drawn_bundle, network_of
from hypothesis import given
from hypothesis import strategies as st

from feed.bundle.archive import Limits, pack, unpack, write_members
from feed.bundle.bundle import Bundle
from feed.bundle.delta import DELTA_FILE, MARK, apply, diff
from feed.bundle.documents import (
    MANIFEST_FILE,
    SHARED_FILES,
    canonical_json,
    nifi_file,
    now_file,
    relations_file,
    routes_file,
)
from feed.bundle.package import package, scope_files
from feed.bundle.parsed import parse
from feed.refusals import Refusal, RefusedBundleError
from router_core.errors import BadInputError

A, B = drawn_bundle("toy", 0), drawn_bundle("toy", 1, epoch=2)

PATHS = st.sampled_from(["a.json", "b/c.json", "b/d.csv", "e.json", "f/g/h.json"])
CONTENTS = st.dictionaries(PATHS, st.binary(max_size=40))


def enveloped(bundle: Bundle, signature: str) -> Bundle:
    """An envelope around the manifest, as DSSE has it."""
    payload = b64encode(bundle.manifest_json).decode()
    envelope = {"payload": payload, "payloadType": "t", "signatures": [{"keyid": "k", "sig": signature}]}
    return replace(bundle, envelope_json=canonical_json(envelope))


def refused(delta: bytes, base: Bundle, refusal: Refusal, limits: Limits | None = None) -> None:
    with pytest.raises(RefusedBundleError) as caught:
        apply(delta, base, limits)
    assert caught.value.refusal is refusal, str(caught.value)


@given(before=CONTENTS, after=CONTENTS, signed=st.tuples(st.booleans(), st.booleans()), kept=st.sets(PATHS))
def test_a_delta_of_any_two_leads_from_one_to_the_other(
    before: dict[str, bytes], after: dict[str, bytes], signed: tuple[bool, bool], kept: set[str]
) -> None:
    network = network_of("toy")
    pair = [bundle_of(network, files, epoch=epoch) for epoch, files in ((1, before), (2, after))]
    pair = [enveloped(one, f"s{one.manifest.epoch}") if yes else one for one, yes in zip(pair, signed, strict=True)]
    for drop in (set(), kept):
        old, new = (
            replace(one, files={path: data for path, data in one.files.items() if path not in drop}) for one in pair
        )
        if len(old.files) == len(before) and len(new.files) < len(after):
            continue  # a full bundle leads to full ones alone
        found = apply(diff(old, new), old)
        assert pack(found) == pack(new)
        assert found.manifest == new.manifest
        assert pack(apply(diff(new, new), new)) == pack(new)


@pytest.mark.parametrize("seed", range(4), ids=lambda seed: f"seed-{seed}-")
def test_deltas_of_policies_and_packages_are_exact_and_small(seed: int) -> None:
    name = ("toy", "province-0")[seed % 2]
    old = enveloped(drawn_bundle(name, seed, moved=0.0), "first")
    new = enveloped(drawn_bundle(name, seed + 10, epoch=2, moved=0.05), "second")
    assert pack(apply(diff(old, new), old)) == pack(new)
    scope = Random(seed).choice(sorted(parse(old).platform.endpoints))
    small = package(old, scope), package(new, scope)
    delta = diff(*small)
    assert pack(apply(delta, small[0])) == pack(small[1])
    assert len(delta) < len(pack(small[1])) / 3
    # The envelope repeats the manifest: a delta carries neither, where all content is as it was.
    renewed = enveloped(replace(old, **renewed_manifest(old)), "third")
    assert len(diff(old, renewed)) < 1_000


def renewed_manifest(bundle: Bundle) -> dict[str, object]:
    other = bundle_of(network_of("toy"), dict(bundle.files), epoch=9)
    return {"manifest_json": other.manifest_json, "manifest": other.manifest}


def test_a_delta_of_another_base_is_refused() -> None:
    delta = diff(A, B)
    for base in (B, enveloped(A, "x"), replace(A, files={})):
        refused(delta, base, Refusal.ALTERED)
    assert pack(apply(delta, A)) == pack(B)


@pytest.mark.parametrize("seed", range(30), ids=lambda seed: f"seed-{seed}-")
def test_an_altered_delta_is_refused(seed: int) -> None:
    random, delta = Random(seed), bytearray(diff(A, B))
    delta[random.randrange(len(delta))] ^= 1 << random.randrange(8)
    with pytest.raises(RefusedBundleError):
        apply(bytes(delta), A)
    whole = diff(A, B)
    for other in (whole[: random.randrange(len(whole))], whole + b"\0"):
        refused(other, A, Refusal.MALFORMED)


def test_a_delta_that_lies_is_refused() -> None:
    """Whole by its own checks, and yet not what the manifest says."""
    members = unfolded(diff(A, B))
    changed = next(path for path in members if path != DELTA_FILE)
    for wrong in (
        {**members, changed: members[changed] + b" "},
        {**members, "surprise.json": b"{}"},
        {path: data for path, data in members.items() if path != changed},
        {**members, DELTA_FILE: members[DELTA_FILE].replace(b'"epoch":2', b'"epoch":3')},
    ):
        refused(folded(wrong), A, Refusal.ALTERED)
    refused(folded({**members, DELTA_FILE: b"{}"}), A, Refusal.SCHEMA)
    document = members[DELTA_FILE]
    refused(folded({**members, DELTA_FILE: document[:-1] + b',"x":1}'}), A, Refusal.SCHEMA)
    refused(folded({path: data for path, data in members.items() if path != DELTA_FILE}), A, Refusal.MALFORMED)
    refused(folded({**members, MANIFEST_FILE: B.manifest_json}), A, Refusal.ALTERED)


def unfolded(delta: bytes) -> dict[str, bytes]:
    from feed.bundle.archive import read_members  # noqa: PLC0415

    return read_members(zlib.decompress(delta[len(MARK) :]), Limits())


def folded(members: dict[str, bytes]) -> bytes:
    return MARK + zlib.compress(write_members(members))


def test_bombs_and_what_is_too_large_are_refused() -> None:
    bomb = MARK + zlib.compress(bytes(200 << 20), 9)
    assert len(bomb) < 1 << 20
    refused(bomb, A, Refusal.OVERSIZED)
    delta = diff(A, B)
    refused(delta, A, Refusal.OVERSIZED, Limits(bundle_bytes_max=len(delta) - 1))
    refused(delta, A, Refusal.OVERSIZED, Limits(unpacked_bytes_max=1_000))
    refused(delta, A, Refusal.OVERSIZED, Limits(members_max=1))
    for junk in (b"", b"x" * 50, MARK, MARK + b"junk"):
        refused(junk, A, Refusal.MALFORMED)


def test_an_envelope_over_something_else_makes_no_delta() -> None:
    with pytest.raises(BadInputError, match="envelope"):
        diff(A, replace(B, envelope_json=enveloped(A, "x").envelope_json))


@pytest.mark.parametrize("name", ["toy", "province-1"])
def test_a_package_holds_what_its_scope_needs_and_nothing_of_others(name: str) -> None:
    bundle = enveloped(drawn_bundle(name, 2, moved=0.9), "s")
    parsed = parse(bundle)
    covered = set()
    for scope, group in parsed.platform.endpoints.items():
        own = package(bundle, scope)
        kinds = (routes_file, now_file, relations_file, nifi_file)
        expected = {*SHARED_FILES, *(kind(group) for kind in kinds)} & bundle.files.keys()
        assert set(own.files) == expected == set(scope_files(bundle.manifest, parsed.platform, scope))
        assert {routes_file(group), relations_file(group), nifi_file(group), *SHARED_FILES} <= expected
        assert (own.manifest_json, own.envelope_json) == (bundle.manifest_json, bundle.envelope_json)
        again = parse(unpack(pack(own), package=True))
        assert list(again.routes) == [group]
        assert again.routes[group] == parsed.routes[group]
        assert again.now.get(group) == parsed.now.get(group)
        covered |= expected
    assert covered == set(bundle.files)
    with pytest.raises(RefusedBundleError, match="nobody") as caught:
        package(bundle, "nobody")
    assert caught.value.refusal is Refusal.WRONG_SCOPE
