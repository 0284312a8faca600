"""Documents: every field that is unknown, missing, of another type or out of range is refused, and told by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from feed_bundles import drawn_bundle
from pydantic_core import from_json

from feed.bundle.bundle import Bundle
from feed.bundle.documents import MANIFEST_FILE, Manifest, canonical_json, read
from feed.bundle.json_schema import MODELS
from feed.bundle.manifest import manifest_of
from feed.bundle.parsed import KnownDocuments, parse
from feed.refusals import Refusal, RefusedBundleError

BUNDLE = drawn_bundle(seed=3, moved=0.9)
FILES = {
    MANIFEST_FILE: BUNDLE.manifest_json,
    **{path: data for path, data in BUNDLE.files.items() if path.endswith(".json")},
}
# One file of each kind; the first group has routes, a dynamic layer, relations and holds.
KINDS = {
    path.split("/")[0].removesuffix(".json"): path
    for path in sorted(FILES, reverse=True)
}  # fmt: skip


def parsed_with(path: str, data: bytes) -> None:
    """Read the bundle as if a file of it were this."""
    if path == MANIFEST_FILE:
        manifest_of(data)
    else:
        parse(replace(BUNDLE, files={**BUNDLE.files, path: data}))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, but of long lists the first two and the last."""
    yield path
    if isinstance(value, dict):
        for key in list(value)[:8]:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
            yield from places(value[index], (*path, index))


def changed(document: Any, path: tuple[Any, ...], by: Callable[[Any], Any]) -> bytes:
    """The document with the value at a place changed."""
    if not path:
        return canonical_json(by(document))
    copy = from_json(canonical_json(document))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = by(parent[path[-1]])
    return canonical_json(copy)


def refused_alike(path: str, data: bytes, *refusals: Refusal) -> str:
    with pytest.raises(RefusedBundleError) as caught:
        parsed_with(path, data)
    assert caught.value.refusal in refusals, (path, data[:200], str(caught.value))
    assert path in caught.value.detail
    assert len(caught.value.detail) <= 500
    return caught.value.detail


def test_every_kind_of_document_is_there() -> None:
    assert set(KINDS) == set(MODELS) - {"delta"}
    for path, data in FILES.items():
        parsed_with(path, data)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_another_type_in_any_place_is_refused(kind: str) -> None:
    path = KINDS[kind]
    document = from_json(FILES[path])
    for place in places(document):
        value = document
        for key in place:
            value = value[key]
        for other in (None, "1", 1, 1.5, True, [], {}, [[]], "", -1, float(2**53)):
            if type(other) is type(value) or other == value:
                continue
            if place == ("restores",) and other is None:
                continue
            if isinstance(value, float) and isinstance(other, int) and other is not True:
                continue  # a whole number where a float is meant: written in another way than floats are
            refused_alike(
                path, changed(document, place, lambda _, other=other: other), Refusal.SCHEMA, Refusal.MALFORMED
            )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_fields_that_are_unknown_or_missing_are_refused_by_name(kind: str) -> None:
    path = KINDS[kind]
    document = from_json(FILES[path])
    models = 0
    for place in places(document):
        value = document
        for key in place:
            value = value[key]
        if not isinstance(value, dict) or place in (
            ("endpoints",), ("planned",), ("now",), ("inputs",), ("provenance",)
        ):  # fmt: skip
            continue
        models += 1
        told = refused_alike(path, changed(document, place, lambda of: {**of, "surprise": 1}), Refusal.SCHEMA)
        assert "surprise" in told
        for name in value:
            data = changed(document, place, lambda of, name=name: {key: of[key] for key in of if key != name})
            # A default may stand in for what is missing; then it is not the one way to write it.
            told = refused_alike(path, data, Refusal.SCHEMA, Refusal.MALFORMED)
            assert name in told or "one way" in told
    assert models >= 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_numbers_and_texts_out_of_range_are_refused(kind: str) -> None:
    path = KINDS[kind]
    document = from_json(FILES[path])
    tried = 0
    for place in places(document):
        value = document
        for key in place:
            value = value[key]
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            continue
        others = [""] if isinstance(value, str) else [-1, 2**62, 2**80]
        if isinstance(value, str) and place[0] != "provenance":
            others += ["a" * 3_000, "\x00", "a/b\n"]
        for other in others:
            if place[0] == "provenance" and other == "":
                continue
            tried += 1
            data = changed(document, place, lambda _, other=other: other)
            refused_alike(path, data, Refusal.SCHEMA, Refusal.MALFORMED)
    assert tried


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_names_of_entries_out_of_range_are_refused(kind: str) -> None:
    path = KINDS[kind]
    document = from_json(FILES[path])
    for name in ("endpoints", "planned", "inputs", "provenance"):
        if document.get(name):
            for wrong in ("", "a/b", "a\\b", "a\nb", "a" * 201):
                first = next(iter(document[name]))
                more = {wrong: document[name][first], **document[name]}
                data = canonical_json({**document, name: dict(sorted(more.items()))})
                refused_alike(path, data, Refusal.SCHEMA)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_there_is_one_way_to_write_a_document(kind: str) -> None:
    path, data = KINDS[kind], FILES[KINDS[kind]]
    document = from_json(data)
    first = next(iter(document))
    again = canonical_json({first: document[first]})[:-1] + b"," + data[1:]
    assert from_json(again) == document
    others = [
        json.dumps(document).encode(),
        data + b"\n",
        b" " + data,
        b"\xef\xbb\xbf" + data,
        again,
        canonical_json(dict(reversed(document.items()))),
        data.replace(b"e", b"\\u0065", 1),
    ]
    for other in others:
        if other != data:
            refused_alike(path, other, Refusal.MALFORMED)
    for junk in (b"", b"{", b"null", b"[" * 100_000, b"\xff\xfe", b"{}" * 2, b"NaN", data[:-1]):
        refused_alike(path, junk, Refusal.MALFORMED, Refusal.SCHEMA)


def rule_breakers() -> Iterator[tuple[str, str, Callable[[dict[str, Any]], None]]]:
    """Documents of right types that do not hold together."""

    def swap(name: str) -> Callable[[dict[str, Any]], None]:
        return lambda of: of.update({name: of[name][::-1]})

    yield "routes", "ascending by target", swap("targets")
    yield (
        "routes",
        "ascending by slot",
        lambda of: of["targets"][0]["weights"].append([0, of["targets"][0]["weights"][0][1]]),
    )
    yield "routes", "begin with slot 0", lambda of: of["targets"][0]["weights"][0].__setitem__(0, 1)
    yield "routes", "a weight for each", lambda of: of["targets"][0]["weights"][0][1].append(1)
    yield (
        "routes",
        "positive sum",
        lambda of: of["targets"][0]["weights"][0].__setitem__(1, [0] * len(of["targets"][0]["ways"])),
    )
    yield (
        "routes",
        "slots must be below",
        lambda of: of["targets"][0]["weights"].append([9_999, of["targets"][0]["weights"][0][1]]),
    )
    yield "routes", "stations must be below", lambda of: of["targets"][0]["ways"][0]["stations"].append(10**6)
    yield "routes", "groups below", lambda of: of["targets"][-1].update(target=10**6)
    yield "routes", "source", lambda of: of.update(source=1)
    yield "now", "ascending by target", swap("weights")
    yield "now", "of the static layer", lambda of: of["weights"][0][1].append(1)
    yield "now", "of the static layer", lambda of: of["weights"].append([10**6, [1]])
    yield "now", "positive sum", lambda of: of["weights"][0].__setitem__(1, [0] * len(of["weights"][0][1]))
    yield "now", "to groups below", lambda of: of["holds"].append([10**6, 1, 1])
    yield "relations", "endpoint of the group", lambda of: of["endpoints"].update({"~": []})
    yield (
        "relations",
        "that are endpoints",
        lambda of: of["endpoints"].update({next(iter(of["endpoints"])): [["~", 0, 0, 0, 0]]}),
    )
    yield (
        "relations",
        "classes must be below",
        lambda of: of["endpoints"].update({name: [[name, 0, 0, 0, 99]] for name in list(of["endpoints"])[:1]}),
    )
    yield (
        "relations",
        "ascending by target",
        lambda of: of["endpoints"].update(
            {name: [[name, 0, 0, 0, 1], [name, 0, 0, 0, 0]] for name in list(of["endpoints"])[:1]}
        ),
    )
    yield "classes", "classes below", lambda of: of["fallback"].__setitem__(0, 99)
    yield "classes", "unique", lambda of: of["classes"][0].update(name=of["classes"][1]["name"])
    yield "release", "begin with 0", lambda of: of["lag_ns"].__setitem__(0, 1)
    yield "release", "ascending by lag", lambda of: of["lag_ns"].__setitem__(1, of["lag_ns"][2])
    yield "release", "of sum", lambda of: of["hold"][0][0][1].__setitem__(0, of["hold"][0][0][1][0] + 1)
    yield "release", "row for each", lambda of: of["hold"].pop()
    yield "release", "divide a day", lambda of: of.update(slot_ns=7)
    yield "release", "below 1", lambda of: of.update(slots=1)
    yield "release", "begin", lambda of: of.update(begin="2026-13-40T00:00:00")
    yield "platform", "unique", lambda of: of["groups"][0].update(name=of["groups"][1]["name"])
    yield "platform", "below", lambda of: of["groups"].pop()
    yield "platform", "topology", lambda of: of.update(topology="0" * 64)
    yield "platform", "ascending by endpoint", lambda of: of.update(endpoints=dict(reversed(of["endpoints"].items())))
    yield "capacity", "slots must be below", lambda of: next(iter(of["planned"].values())).append([9_999, 1])
    yield "capacity", "begin with slot 0", lambda of: next(iter(of["planned"].values()))[0].__setitem__(0, 1)
    yield "capacity", "ascending by node", lambda of: of.update(planned={"b": [[0, 1]], "a": [[0, 1]]})
    yield "manifest", "soft_expiry", lambda of: of.update(soft_expiry=of["valid_from"])
    yield "manifest", "UTC", lambda of: of.update(created="2026-04-30T00:00:00+08:00")
    yield "manifest", "ascending by path", swap("files")
    yield "manifest", "of the files listed", lambda of: of["files"].pop()
    yield "manifest", "earlier epoch", lambda of: of.update(restores=1)
    yield "manifest", "can list", lambda of: of["files"][0].update(path="manifest.json")


@pytest.mark.parametrize(
    ("kind", "rule", "breaker"), [pytest.param(*one, id=f"{one[0]}-{one[1]}") for one in rule_breakers()]
)
def test_documents_that_do_not_hold_together_are_refused(
    kind: str, rule: str, breaker: Callable[[dict[str, Any]], None]
) -> None:
    document = from_json(FILES[KINDS[kind]])
    breaker(document)
    assert rule in refused_alike(KINDS[kind], canonical_json(document), Refusal.SCHEMA)


def test_files_of_no_group_or_no_kind_are_refused() -> None:
    for path in ("routes/99999.json", "routes/0.json", "surprise.json", "nifi/00000/other.csv"):
        with pytest.raises(RefusedBundleError, match=path) as caught:
            parse(replace(BUNDLE, files={**BUNDLE.files, path: b"{}"}))
        assert caught.value.refusal is Refusal.SCHEMA
    for path in ("platform.json", "guards.json"):
        with pytest.raises(RefusedBundleError, match=path):
            parse(replace(BUNDLE, files={name: data for name, data in BUNDLE.files.items() if name != path}))


def test_another_schema_version_is_refused_as_one() -> None:
    data = BUNDLE.manifest_json.replace(b'"schema_version":1', b'"schema_version":2')
    assert "schema_version" in refused_alike(MANIFEST_FILE, data, Refusal.SCHEMA)
    assert "next: update the older side" in str(RefusedBundleError(Refusal.SCHEMA, "x"))
    assert isinstance(BUNDLE, Bundle)
    assert read(Manifest, BUNDLE.manifest_json, MANIFEST_FILE) == BUNDLE.manifest


def test_what_is_known_already_changes_nothing() -> None:
    known = KnownDocuments()
    for seed in (3, 4, 3):
        bundle = drawn_bundle(seed=seed, moved=0.9)
        assert vars(parse(bundle, known)) == vars(parse(bundle))
    for path in ("guards.json", KINDS["routes"]):
        with pytest.raises(RefusedBundleError, match=path):
            parse(replace(BUNDLE, files={**BUNDLE.files, path: b"{}"}), known)
    assert vars(parse(BUNDLE, known)) == vars(parse(BUNDLE))
