"""Where a grammar finds what changes do not: documents drawn whole, of every shape that their format has a word for."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime

import pytest
from fuzzing import paths  # noqa: F401 - it lets the rest be found
from fuzzing.driving import quiet, watched
from fuzzing.guard import attempt, watchdog
from fuzzing.table import target_of
from fuzzing.texts import toml_of
from fuzzing.trees import written_json
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DRAWN = settings(deadline=None, max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from([0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**400, -0.0, 5e-324, 1e308]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
moments = st.one_of(
    st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(
        lambda one: one.replace(tzinfo=UTC).isoformat()
    ),
    st.sampled_from(
        [
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.999999-12:00",
            "2026-02-29T00:00:00Z",
            "1970-01-01T00:00:00Z",
        ]
    ),
    texts,
)


def holds(name: str, data: bytes) -> None:
    with quiet(), watchdog():
        _, finding = attempt(target_of(name), data)
    assert finding is None, finding.text


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    with watched(*map(target_of, ("setting", "faults", "telemetry", "status", "bundle-document", "trust"))):
        pass


def mixed(seed: dict, drawn: dict) -> dict:
    """A valid document in which some fields are drawn: the others let it get further."""
    return {**seed, **drawn}


rows = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a.router", "b.centre", "a", ""]) | texts,
        "utilisation": numbers,
        "waiting": numbers,
        "served_bytes": numbers,
        "up": st.booleans() | values,
    },
)
tasks = st.fixed_dictionaries(
    {"target": st.sampled_from(["a", "b"]) | texts, "mode": numbers, "kind": numbers},
    optional={"priority": numbers, "exchanges": numbers, "payload_bytes": numbers, "x": values},
)


@DRAWN
@given(
    st.fixed_dictionaries(
        {"observed": moments, "window_s": numbers},
        optional={
            "stations": st.lists(rows, max_size=4) | values,
            "accepted": st.fixed_dictionaries(
                {"source": st.sampled_from(["a", "z"]), "tasks": st.lists(tasks, max_size=3)}
            )
            | values,
        },
    )
)
def test_any_telemetry(document: dict) -> None:
    holds("telemetry", written_json(document))


@DRAWN
@given(
    st.dictionaries(
        st.sampled_from(["scope", "epoch", "etag", "result", "refusal", "detail", "at"]) | texts, values | moments
    )
)
def test_any_status_report(drawn: dict) -> None:
    seed = json.loads(target_of("status").seeds()[1])
    holds("status", written_json(mixed(seed, drawn)))


keys = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=12)
toml_values = st.one_of(
    numbers.filter(lambda one: repr(one).lstrip("-") not in ("nan", "inf")),
    st.booleans(),
    texts,
    st.lists(texts, max_size=2),
)


@DRAWN
@given(
    st.dictionaries(
        st.sampled_from(["memory_s", "belief", "busy", "pairs_max", "probe_s", "record_s"]) | keys, toml_values
    )
)
def test_any_setting(table: dict) -> None:
    holds("setting", toml_of({"schema": 1, "dynamic": table}))


@DRAWN
@given(
    st.lists(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(["stop", "slow", "servers", "pool"]) | texts},
            optional={
                "node": st.sampled_from(["province", "province/process", "east"]) | texts,
                "line": st.lists(st.sampled_from(["province", "east"]) | texts, max_size=3),
                "from": st.sampled_from(["00:00:01", "23:59:60", 1, 0.5]) | toml_values,
                "until": st.sampled_from(["99:00:00", "00:00:01.000000001", 2, 10**30]) | toml_values,
                "factor": toml_values,
                "servers": toml_values,
                "cable": toml_values,
                "pool": st.sampled_from(["east-cloud", ""]) | texts,
            },
        ),
        max_size=3,
    )
)
def test_any_faults(faults: list) -> None:
    holds("faults", toml_of({"schema": 1, "faults": faults}))


@DRAWN
@given(st.integers(0, 30), st.dictionaries(texts, values, max_size=3), st.data())
def test_any_document_of_a_bundle(which: int, extra: dict, data: st.DataObject) -> None:
    seeds = target_of("bundle-document").seeds()
    name, _, text = seeds[which % len(seeds)].partition(b"\n")
    document = json.loads(text)
    field = data.draw(st.sampled_from(sorted(document)))
    document[field] = data.draw(values | moments)
    if data.draw(st.booleans()):
        document |= extra
    holds("bundle-document", name + b"\n" + json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())


@DRAWN
@given(moments, moments, st.data())
def test_any_key_of_a_trust_file(begin: str, end: str, data: st.DataObject) -> None:
    document = json.loads(target_of("trust").seeds()[0])
    key = document["keys"][0]
    key |= {"valid_from": begin, "valid_until": end}
    key[data.draw(st.sampled_from(sorted(key)))] = data.draw(values | moments)
    holds("trust", written_json(document))
