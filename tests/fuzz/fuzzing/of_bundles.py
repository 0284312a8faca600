"""Targets: bundles, their documents, deltas, and packages as a front-end checks them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from feed_bundles import VALID_FROM, bundle_of, drawn_content, network_of
from feed_signing import ed25519_signer, trust_of

from feed.agent.checks import Knowledge, PackageChecks
from feed.agent.state import Seen
from feed.bundle.archive import Limits, pack, read_members, unpack, write_members
from feed.bundle.bundle import Bundle
from feed.bundle.changes import changes
from feed.bundle.compose import compose
from feed.bundle.delta import DELTA_FILE, MARK, apply, diff
from feed.bundle.documents import ENVELOPE_FILE, MANIFEST_FILE, GuardsDocument, Manifest, canonical_json
from feed.bundle.manifest import content_of, entry_of, sealed
from feed.bundle.package import package
from feed.bundle.parsed import Parsed, parse
from feed.bundle.restore import restored
from feed.bundle.rows import row_count, rows
from feed.clock import instant_of
from feed.refusals import RefusedBundleError
from fuzzing.mutating import scratched
from fuzzing.target import Target, hold, own_folder
from fuzzing.texts import changed_lines
from fuzzing.trees import changed_json
from router_core.errors import BadInputError
from router_core.network import Network
from scenarios.topology import write_topology

_KEY = 1
_GUARDS = GuardsDocument(hold_ns_max=10**15, moved_share_max=1.0, reachable_share_min=0.0)
_NOW_NS = instant_of(VALID_FROM) + 60 * 10**9


@cache
def network() -> Network:
    """Three places in a row, each with a front-end: the smallest network that has ways to choose."""
    path = own_folder() / "three.toml"
    places = [(114.0, 28.0), (115.0, 28.5), (116.0, 29.0)]
    write_topology(path, "three", ["a", "b", "c"], places, [(0, 1), (1, 2), (0, 2)], [100.0, 1_000.0, 50.0], "Three")
    return network_of(str(path))


@cache
def bundle(seed: int) -> Bundle:
    """A signed bundle of that network; another seed has another dynamic layer."""
    content = drawn_content(str(own_folder() / "three.toml"), seed) if network() else None
    assert content is not None
    files = compose(network(), content, _GUARDS, VALID_FROM)
    return sealed(bundle_of(network(), files, epoch=2 + seed), [ed25519_signer(_KEY)])


def scope() -> str:
    """Its first endpoint."""
    return str(network().node_name[int(network().endpoints[0])])


@cache
def packed(seed: int) -> bytes:
    """The package of that endpoint."""
    return pack(package(bundle(seed), scope()))


def _bundle(data: bytes) -> object:
    found = unpack(data, package=True)
    hold("a bundle is packed as it came", pack(found) == data)
    parsed = parse(found)
    hold("reading twice is reading once", parse(found).platform == parsed.platform)
    _used(parsed, found)
    return parsed


def _used(parsed: Parsed, found: Bundle) -> None:
    """What the verbs of `policy` do with whatever they could read."""
    for name in parsed.platform.endpoints:
        try:
            shown = sum(1 for _ in rows(parsed, name))
        except RefusedBundleError:
            continue
        hold("an endpoint has no more rows than all have", shown <= row_count(parsed), name)
    if set(parsed.routes) >= {0}:
        changes(parsed, parsed)
    about = found.manifest
    if about.epoch < 2**53 - 1:
        times = {"valid_from": about.valid_from, "soft_expiry": about.soft_expiry, "hard_expiry": about.hard_expiry}
        back = restored(found, epoch=about.epoch + 1, created=about.created, **times)
        hold("what is brought back has the very files", back.files == found.files)


def _bundle_seeds() -> list[bytes]:
    return [packed(0), packed(1), pack(package(replace(bundle(0), envelope_json=None), scope()))]


def _inner(data: bytes, random: Random) -> tuple[dict[str, bytes], str] | None:
    """The members of a bundle with one of them changed, and its name; None if it is none."""
    try:
        members = read_members(data, Limits())
    except RefusedBundleError:
        return None
    name = random.choice(list(members))
    change = changed_lines if name.endswith(".csv") else changed_json
    members[name] = _written(change(members[name], random, ()), random)
    return members, name


def _written(data: bytes, random: Random) -> bytes:
    """Mostly as documents are written, so that more than their form is looked at."""
    if random.random() < 0.2:
        return data
    try:
        return json.dumps(json.loads(data), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return data


def _listed(members: dict[str, bytes], changed: str, *, signed: bool) -> dict[str, bytes]:
    """The members with a manifest that lists the changed one as it is, signed anew if that is asked for."""
    try:
        about = json.loads(members[MANIFEST_FILE])
        if changed != MANIFEST_FILE:
            known = {one["path"]: one for one in about["files"]}
            known[changed] = entry_of(changed, members[changed]).model_dump()
            about["files"] = [known[path] for path in sorted(known)]
        entries = Manifest.model_validate_json(json.dumps(about)).files
        about["content"] = content_of(entries)
        members[MANIFEST_FILE] = json.dumps(about, separators=(",", ":"), ensure_ascii=False).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    if signed and {ENVELOPE_FILE, MANIFEST_FILE} <= members.keys() and changed != ENVELOPE_FILE:
        from feed.signing import dsse  # noqa: PLC0415 - beside its one use

        members[ENVELOPE_FILE] = dsse.sign(members[MANIFEST_FILE], dsse.PAYLOAD_TYPE, [ed25519_signer(_KEY)])
    return members


def changed_bundle(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change bytes; or a document, with the archive, the manifest's digests and the signature made right again."""
    made = _inner(data, random) if random.random() < 0.85 else None
    if made is None:
        return scratched(data, random, others)
    members, name = made
    if random.random() < 0.1:
        members.pop(random.choice(list(members)))
    elif random.random() < 0.9:
        members = _listed(members, name, signed=random.random() < 0.9)
    return write_members(members)


def _package(data: bytes) -> object:
    checks = PackageChecks(network(), scope(), trust_of([ed25519_signer(_KEY)]))
    checked = checks.check(data, Knowledge(_NOW_NS, Seen(1, "1-0000000000000000")))
    policy = checked.policy
    slot = policy.slot_at(_NOW_NS)
    for dynamic in (True, False):
        plan = policy.plan(slot, dynamic)
        for target in policy.targets:
            choice = plan.choice_from(policy.node, target) if hasattr(plan, "choice_from") else None
            hold("what is chosen from has weight", choice is None or sum(choice.weights) > 0, target)
    hold("the next slot is to come", policy.next_slot_ns(_NOW_NS) > _NOW_NS)
    return checked


def _delta(data: bytes) -> object:
    base = _base()
    result = apply(data, base)
    again = apply(diff(base, result), base)
    hold("law 8: apply(diff(a, b), a) == b", pack(again) == pack(result))
    return result


@cache
def _base() -> Bundle:
    return unpack(packed(0), package=True)


def _delta_seeds() -> list[bytes]:
    results = (unpack(packed(1), package=True), _base(), replace(_base(), envelope_json=None))
    return [diff(_base(), one) for one in results] + [MARK + zlib.compress(bytes(1 << 22))]


def _changed_delta(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change bytes; or a member of what is compressed, its digest of the result made right where that can be."""
    if random.random() < 0.15:
        return scratched(data, random, others)
    try:
        members = read_members(zlib.decompressobj().decompress(data[len(MARK) :], 1 << 20), Limits())
    except (zlib.error, RefusedBundleError):
        return scratched(data, random, others)
    name = random.choice([DELTA_FILE, *members])
    members[name] = _written(changed_json(members.get(name, b"{}"), random, ()), random)
    return MARK + zlib.compress(write_members(members), 1)


def _document(data: bytes) -> object:
    """One document by itself, by the name in its first line."""
    name, _, text = data.partition(b"\n")
    model = _models().get(name.decode("latin-1"))
    if model is None:
        raise BadInputError("first line", "must name a document", name)
    from feed.bundle.documents import read  # noqa: PLC0415 - beside its one use

    document = read(model, text, name.decode("latin-1"))
    hold("there is one way to write a document", canonical_json(document) == text)
    return document


@cache
def _models() -> dict[str, Any]:
    from feed.bundle import documents  # noqa: PLC0415 - beside its one use

    names = ("Manifest", "PlatformDocument", "ClassesDocument", "ReleaseDocument", "CapacityDocument", "GuardsDocument")
    return {name: getattr(documents, name) for name in (*names, "RoutesDocument", "NowDocument", "RelationsDocument")}


def _document_seeds() -> list[bytes]:
    whole = bundle(0)
    texts = {**whole.files, MANIFEST_FILE: whole.manifest_json}
    prefixes = {
        **{"Manifest": MANIFEST_FILE, "PlatformDocument": "platform", "ClassesDocument": "classes"},
        **{"ReleaseDocument": "release", "CapacityDocument": "capacity", "GuardsDocument": "guards"},
        **{"RoutesDocument": "routes", "NowDocument": "now", "RelationsDocument": "relations"},
    }
    found = []
    for name, prefix in prefixes.items():
        text = next((texts[path] for path in sorted(texts) if path.startswith(prefix)), None)
        if text is not None:
            found.append(name.encode() + b"\n" + text)
    return found


def _changed_document(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    name, _, text = data.partition(b"\n")
    return name + b"\n" + _written(changed_json(text, random, [one.partition(b"\n")[2] for one in others[:8]]), random)


TARGETS = (
    Target(
        "bundle",
        "a bundle, `feed.bundle.archive.unpack` and `feed.bundle.parsed.parse`",
        _bundle,
        _bundle_seeds,
        changed_bundle,
        cost=1.0,
    ),
    Target(
        "bundle-document",
        "a document of a bundle, `feed.bundle.documents.read`",
        _document,
        _document_seeds,
        _changed_document,
        cost=0.1,
    ),
    Target("delta", "a delta, `feed.bundle.delta.apply`", _delta, _delta_seeds, _changed_delta, cost=1.0),
    Target(
        "package",
        "a package as a front-end checks it, `feed.agent.checks`",
        _package,
        lambda: [packed(0), packed(1)],
        changed_bundle,
        cost=1.5,
    ),
)
