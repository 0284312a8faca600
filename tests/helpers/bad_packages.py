"""Packages that must never take effect, drawn from seeds, each with the reasons for which it may be refused."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache

import numpy as np
from feed_agent import HARD, LOOSE, NOW, NOW_NS, bundle, composer, content, packed, scopes, signers, some_scope, trust
from learnt_toy import learnt, toy

from feed.agent.agent_policy import AgentPolicy
from feed.agent.checks import Knowledge, PackageChecks
from feed.agent.expiry import SKEW_NS
from feed.agent.state import Seen
from feed.bundle.archive import Limits, pack, write_members
from feed.bundle.bundle import Bundle
from feed.bundle.documents import ENVELOPE_FILE, MANIFEST_FILE, GuardsDocument, canonical_json, routes_file
from feed.bundle.manifest import etag_of
from feed.bundle.package import package
from feed.bundle.parsed import parse
from feed.refusals import Refusal
from feed.signing import dsse
from router_core.units import DAY_NS, HOUR_NS, SECOND_NS

R = Refusal
EPOCH = 50
NETWORK = toy().network


@dataclass(frozen=True)
class Bad:
    """A package and what its reader knows, and what it may be refused for."""

    data: bytes
    reasons: frozenset[Refusal]
    known: Knowledge
    limits: Limits | None = None


@cache
def good() -> Bundle:
    """What would be accepted, and is all that mutants start from."""
    return bundle(EPOCH)


@cache
def good_package() -> Bundle:
    return package(good(), some_scope())


@cache
def good_bytes() -> bytes:
    return packed(good())


@cache
def in_force() -> AgentPolicy:
    return AgentPolicy(NETWORK, parse(package(bundle(EPOCH - 1), some_scope())), some_scope())


def known() -> Knowledge:
    return Knowledge(NOW_NS, Seen(EPOCH - 1, "49-00000000000000aa"), in_force())


@cache
def checks(limits: Limits | None = None) -> PackageChecks:
    return PackageChecks(NETWORK, some_scope(), trust(), limits)


def group() -> int:
    return in_force().group


def signed(files: dict[str, bytes], **fields: object) -> bytes:
    """A package of exactly these files, listed and signed by the trusted keys."""
    return pack(bundle(EPOCH, files=files, **fields))  # type: ignore[arg-type]


def bad(data: bytes, *reasons: Refusal, known_: Knowledge | None = None, limits: Limits | None = None) -> Bad:
    return Bad(data, frozenset(reasons), known_ or known(), limits)


def a_byte_altered(draw: np.random.Generator) -> Bad:
    data = bytearray(good_bytes())
    data[draw.integers(len(data))] ^= int(draw.integers(1, 256))
    reasons = (R.MALFORMED, R.OVERSIZED, R.SCHEMA, R.UNKNOWN_KEY, R.BAD_SIGNATURE, R.BELOW_THRESHOLD, R.ALTERED)
    return bad(bytes(data), *reasons)


def cut_or_lengthened(draw: np.random.Generator) -> Bad:
    data = good_bytes()
    at = int(draw.integers(len(data)))
    noise = draw.bytes(int(draw.integers(1, 40)))
    shape = (data[:at], data[at + 1 :], data + noise, noise + data, data[:at] + noise + data[at:], noise)
    return bad(shape[draw.integers(len(shape))], R.MALFORMED, R.OVERSIZED, R.SCHEMA)


def a_file_altered(draw: np.random.Generator) -> Bad:
    """The archive is whole and the signature good; a file is another one."""
    whole = good_package()
    path = sorted(whole.files)[draw.integers(len(whole.files))]
    data = bytearray(whole.files[path])
    data[draw.integers(len(data))] ^= int(draw.integers(1, 256))
    changed = bytes(data) if draw.random() < 0.8 else bytes(data) + b" "
    return bad(pack(replace(whole, files={**whole.files, path: changed})), R.ALTERED)


def a_file_beside(draw: np.random.Generator) -> Bad:
    name = f"{'abcdef'[draw.integers(6)]}{draw.integers(1_000)}.json"
    whole = good_package()
    return bad(pack(replace(whole, files={**whole.files, name: draw.bytes(5)})), R.ALTERED)


@cache
def _envelopes() -> tuple[tuple[bytes | None, Refusal], ...]:
    whole = good_package()
    one, two, stranger = signers()
    other = bundle(EPOCH, provenance={"reason": "another"})

    def by(*keys: object) -> bytes:
        return dsse.sign(whole.manifest_json, dsse.PAYLOAD_TYPE, keys)  # type: ignore[arg-type]

    assert other.envelope_json is not None
    return (
        (None, R.UNSIGNED),
        (by(one), R.BELOW_THRESHOLD),
        (by(two), R.BELOW_THRESHOLD),
        (by(stranger), R.UNKNOWN_KEY),
        (by(stranger, one), R.UNKNOWN_KEY),
        (other.envelope_json, R.ALTERED),
        (dsse.sign(whole.manifest_json, "text/plain", (one, two)), R.MALFORMED),
    )


def forged(draw: np.random.Generator) -> Bad:
    envelopes = _envelopes()
    envelope, reason = envelopes[draw.integers(len(envelopes))]
    # One stranger's signature beside one good one: a stranger at all, or one too few.
    reasons = {reason} | ({R.BELOW_THRESHOLD} if reason == R.UNKNOWN_KEY else set())
    return bad(pack(replace(good_package(), envelope_json=envelope)), *reasons)


def a_signature_altered(draw: np.random.Generator) -> Bad:
    whole = good_package()
    assert whole.envelope_json is not None
    document = json.loads(whole.envelope_json)
    at = document["signatures"][draw.integers(2)]
    text = at["sig"]
    place = int(draw.integers(len(text) - 4))
    letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[draw.integers(64)]
    if letter == text[place]:
        letter = "A" if letter != "A" else "B"
    at["sig"] = text[:place] + letter + text[place + 1 :]
    data = json.dumps(document, separators=(",", ":")).encode()
    changed = replace(whole, envelope_json=whole.envelope_json.replace(text.encode(), at["sig"].encode()))
    assert data != whole.envelope_json
    return bad(pack(changed), R.BAD_SIGNATURE)


def a_manifest_swapped(draw: np.random.Generator) -> Bad:
    """The newer manifest's epoch and times under an old envelope."""
    whole = good_package()
    text = whole.manifest_json.replace(b'"epoch":50', f'"epoch":{draw.integers(51, 10**6)}'.encode())
    return bad(pack(Bundle(text, whole.manifest, whole.files, whole.envelope_json)), R.ALTERED)


def replayed(draw: np.random.Generator) -> Bad:
    etag = f"{EPOCH}-{draw.integers(2**62):016x}"
    return bad(good_bytes(), R.REPLAYED, known_=replace(known(), seen=Seen(EPOCH, etag)))


def rolled_back(draw: np.random.Generator) -> Bad:
    seen = int(EPOCH + draw.integers(1, 10 ** int(draw.integers(1, 12))))
    etag = etag_of(good()) if draw.random() < 0.5 else f"{seen}-{0:016x}"
    return bad(good_bytes(), R.EPOCH_ROLLED_BACK, known_=replace(known(), seen=Seen(seen, etag)))


def expired(draw: np.random.Generator) -> Bad:
    late_ns = int(draw.integers(0, 180 * DAY_NS))
    if draw.random() < 0.1:
        late_ns = 0
    return bad(
        good_bytes(),
        R.EXPIRED,
        known_=replace(known(), now_ns=NOW_NS + HARD // timedelta(seconds=1) * SECOND_NS + late_ns),
    )


def not_yet_valid(draw: np.random.Generator) -> Bad:
    early_ns = 1 if draw.random() < 0.1 else int(draw.integers(1, 300 * DAY_NS))
    return bad(good_bytes(), R.NOT_YET_VALID, known_=replace(known(), now_ns=NOW_NS - SKEW_NS - early_ns))


def oversized(draw: np.random.Generator) -> Bad:
    size = len(good_bytes())
    biggest = max(len(data) for data in good_package().files.values())
    tight = (
        Limits(bundle_bytes_max=int(draw.integers(1, size))),
        Limits(file_bytes_max=int(draw.integers(1, biggest))),
        Limits(manifest_bytes_max=int(draw.integers(1, len(good_package().manifest_json)))),
        Limits(members_max=int(draw.integers(1, 6))),
    )
    return bad(good_bytes(), R.OVERSIZED, limits=tight[draw.integers(4)])


def a_size_lied_about(draw: np.random.Generator) -> Bad:
    """A header that claims gigabytes, as a bomb's would."""
    data = bytearray(good_bytes())
    struct.pack_into("<2I", data, 18, *(int(draw.integers(2**28, 2**32)) for _ in range(2)))
    return bad(bytes(data), R.OVERSIZED, R.MALFORMED)


def a_wrong_archive(draw: np.random.Generator) -> Bad:
    whole = good_package()
    members = {MANIFEST_FILE: whole.manifest_json, ENVELOPE_FILE: whole.envelope_json or b"", **whole.files}
    name = ("../a.json", "/etc/a.json", "a/../b.json", "A.json", "a.exe", "a//b.json", "c:a.json")[draw.integers(7)]
    with_path = write_members({**members, name: draw.bytes(3)})
    squeezed = bytearray(good_bytes())
    struct.pack_into("<H", squeezed, 8, 8)  # says it is deflated
    twice = write_members({MANIFEST_FILE: whole.manifest_json}) + good_bytes()
    none = write_members({path: data for path, data in members.items() if path != MANIFEST_FILE})
    compressed = zlib.compress(good_bytes())
    shapes = (with_path, bytes(squeezed), twice, none, compressed)
    return bad(shapes[draw.integers(len(shapes))], R.MALFORMED, R.SCHEMA)


@cache
def _wrong_topologies() -> tuple[bytes, ...]:
    made = []
    for digit in "0123456789":
        files = dict(good_package().files)
        platform = json.loads(files["platform.json"])
        platform["topology"] = digit * 64
        files["platform.json"] = canonical_json(platform)
        made.append(signed(files, topology=digit * 64))
    return tuple(made)


def wrong_topology(draw: np.random.Generator) -> Bad:
    return bad(_wrong_topologies()[draw.integers(10)], R.WRONG_TOPOLOGY)


@cache
def _wrong_scopes() -> tuple[bytes, ...]:
    other = [scope for scope in scopes() if NETWORK.node_group[NETWORK.node_index[scope]] != group()]
    return (pack(good()), *(packed(good(), scope) for scope in other))


def wrong_scope(draw: np.random.Generator) -> Bad:
    return bad(_wrong_scopes()[draw.integers(len(_wrong_scopes()))], R.WRONG_SCOPE)


def a_file_missing(draw: np.random.Generator) -> Bad:
    files = dict(good_package().files)
    del files[sorted(files)[draw.integers(len(files))]]
    return bad(pack(replace(good_package(), files=files)), R.SCHEMA, R.WRONG_SCOPE)


Change = Callable[[dict[str, dict[str, object]], np.random.Generator], None]


def _of(name: str, **fields: object) -> Change:
    return lambda files, draw: files[name].update(fields)


@cache
def _schema_changes() -> tuple[Change, ...]:
    routes = routes_file(group())

    def way(files: dict[str, dict[str, object]], draw: np.random.Generator) -> None:
        targets = files[routes]["targets"]
        one = targets[draw.integers(len(targets))]["ways"][0]["stations"]  # type: ignore[arg-type,index,call-overload]
        one[draw.integers(len(one))] = int(draw.integers(NETWORK.station_count))

    def no_weight(files: dict[str, dict[str, object]], draw: np.random.Generator) -> None:
        targets = files[routes]["targets"]
        runs = targets[draw.integers(len(targets))]["weights"]  # type: ignore[arg-type,index,call-overload]
        runs[0][1] = [0] * len(runs[0][1])

    def home(files: dict[str, dict[str, object]], draw: np.random.Generator) -> None:
        targets = files[routes]["targets"]
        targets[draw.integers(len(targets))]["ways"][0]["first"] = int(  # type: ignore[arg-type,index,call-overload]
            NETWORK.endpoints[0]
        )

    return (
        way,
        no_weight,
        home,
        _of(routes, extra=1),
        _of(routes, source=10**6),
        _of(routes, targets=None),
        _of("guards.json", hold_ns_max=-1),
        _of("guards.json", moved_share_max=1.5),
        _of("guards.json", unheard_of=True),
        _of("classes.json", fallback=[0]),
        _of("classes.json", classes=[]),
        _of("release.json", lag_ns=[]),
        _of("release.json", slots=0),
        _of("release.json", hold=[]),
        _of("release.json", hold_of_lead=1.0),
        _of("platform.json", stations="many"),
        _of("platform.json", stations=3),
        _of("capacity.json", now={"x": -1}),
    )


def broken_document(draw: np.random.Generator) -> Bad:
    names = (routes_file(group()), "guards.json", "classes.json", "release.json", "platform.json", "capacity.json")
    while True:
        files = dict(good_package().files)
        documents = {name: json.loads(files[name]) for name in names}
        changes = _schema_changes()
        changes[draw.integers(len(changes))](documents, draw)
        changed = {name: canonical_json(documents[name]) for name in names}
        if any(changed[name] != files[name] for name in names):
            return bad(signed(files | changed), R.SCHEMA, R.MALFORMED)


def not_written_so(draw: np.random.Generator) -> Bad:
    """Documents that say the same in another way, or nothing at all."""
    files = dict(good_package().files)
    name = ("guards.json", "classes.json", "release.json")[draw.integers(3)]
    text = files[name]
    shapes = (text + b"\n", text.replace(b":", b": ", 1), b"", b"null", b"[1", draw.bytes(30), text[: len(text) // 2])
    files[name] = shapes[draw.integers(len(shapes))]
    return bad(signed(files), R.MALFORMED, R.SCHEMA)


@cache
def _guard_breakers() -> tuple[tuple[bytes, Knowledge], ...]:
    """Changes that their own guards forbid."""
    plan, own = learnt().plan.paths, group()
    away = {}
    for pair in np.flatnonzero(plan.source == own).tolist():
        ways = int(plan.pair_start[pair + 1] - plan.pair_start[pair])
        if ways > 1:
            least = int(learnt().plan.weights[10, plan.pair_start[pair] : plan.pair_start[pair + 1]].argmin())
            away[own, int(plan.target[pair])] = tuple(int(way == least) for way in range(ways))
    held = {(own, 0): (3 * HOUR_NS, 5 * HOUR_NS)}
    moving = LOOSE.model_copy(update={"moved_share_max": 0.0})
    routes = routes_file(own)
    files = dict(composer().compose(content(), LOOSE.model_copy(update={"reachable_share_min": 1.0}), NOW))
    document = json.loads(files[routes])
    document["targets"] = document["targets"][1:]
    files[routes] = canonical_json(document)
    short = GuardsDocument(hold_ns_max=HOUR_NS, moved_share_max=1.0, reachable_share_min=0.0)
    return (
        (packed(bundle(EPOCH, guards=moving, of=content(away))), known()),
        (packed(bundle(EPOCH, guards=short, of=content(holds=held))), known()),
        (packed(bundle(EPOCH, files=files)), known()),
    )


def guard_broken(draw: np.random.Generator) -> Bad:
    breakers = _guard_breakers()
    data, knows = breakers[draw.integers(len(breakers))]
    return bad(data, R.GUARD, known_=knows)


def pinned(draw: np.random.Generator) -> Bad:
    return bad(good_bytes(), R.PINNED, known_=replace(known(), pinned=int(draw.integers(1, EPOCH))))


# How many of each in ten thousand: those that cost a signature are fewer.
KINDS: dict[Callable[[np.random.Generator], Bad], int] = {
    a_byte_altered: 3_000,
    cut_or_lengthened: 1_200,
    a_file_altered: 500,
    a_file_beside: 200,
    forged: 500,
    a_signature_altered: 400,
    a_manifest_swapped: 300,
    replayed: 500,
    rolled_back: 500,
    expired: 400,
    not_yet_valid: 400,
    oversized: 600,
    a_size_lied_about: 100,
    a_wrong_archive: 200,
    wrong_topology: 300,
    wrong_scope: 200,
    a_file_missing: 100,
    broken_document: 250,
    not_written_so: 100,
    guard_broken: 150,
    pinned: 100,
}
