"""Trust files: what they may say, how long keys count, and how one file gives way to the next."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from feed_signing import NOW, YEAR, ed25519_signer, signer, sm2_signer, trust_of
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.refusals import Refusal, RefusedBundleError
from feed.signing.dsse import PAYLOAD_TYPE, add_signature, sign
from feed.signing.rotation import rotated
from feed.signing.signer import Signer
from feed.signing.trust import (
    KEYS_MAX,
    TRUST_BYTES_MAX,
    TRUST_TYPE,
    Trust,
    new_trust,
    parse_trust,
    read_trust,
    trust_json,
    trusted_key,
    write_trust,
)
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError

A, B, C, D, E = (signer(seed) for seed in range(5))


def fields_of(trust: Trust) -> dict[str, Any]:
    return json.loads(trust_json(trust))


def proposed(new: Trust, signers: list[Signer], kind: str = TRUST_TYPE) -> tuple[bytes, bytes]:
    return trust_json(new), sign(trust_json(new), kind, signers)


def test_a_trust_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    trust = trust_of([A, B, C], 2, version=7, revoked=[B])
    write_trust(tmp_path / "trust.json", trust)
    again = read_trust(tmp_path / "trust.json")
    assert again.document == trust.document
    assert trust_json(again) == trust_json(trust) == (tmp_path / "trust.json").read_bytes()


def test_one_document_has_one_text_whatever_zone_its_times_were_in() -> None:
    shanghai = timezone(timedelta(hours=8))
    local = trust_of([A], begin=(NOW - YEAR).astimezone(shanghai), end=(NOW + YEAR).astimezone(shanghai))
    assert trust_json(local) == trust_json(trust_of([A]))


def test_keys_count_from_their_first_instant_and_before_their_last() -> None:
    trust = trust_of([A, B], begin=NOW, end=NOW + YEAR, revoked=[B])
    moment = timedelta(microseconds=1)
    assert trust.verifier(A.key_id, NOW - moment) is None
    assert trust.flaw(A.key_id, NOW - moment) == "is not valid before 2026-03-17T02:00:00Z"
    found = trust.verifier(A.key_id, NOW)
    assert found is not None
    assert (found.key_id, found.public_key) == (A.key_id, A.public_key)
    assert trust.flaw(A.key_id, NOW + YEAR - moment) is None
    assert trust.verifier(A.key_id, NOW + YEAR) is None
    assert trust.flaw(A.key_id, NOW + YEAR) == "was valid until 2027-03-17T02:00:00Z"
    assert trust.verifier(B.key_id, NOW) is None
    assert trust.flaw(B.key_id, NOW) == "is revoked"
    assert trust.flaw(C.key_id, NOW) == "is not in the trust file"


def key_with(**fields: Any) -> dict[str, Any]:
    document = fields_of(trust_of([A, B]))
    document["keys"][0] |= fields
    return document


def without(name: str) -> dict[str, Any]:
    document = fields_of(trust_of([A, B]))
    del document["keys"][0][name]
    return document


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another-name": (key_with(key_id=C.key_id), "keys[0].key_id"),
    "name-in-capitals": (key_with(key_id=A.key_id.upper()), "keys.0.key_id"),
    "another-algorithm": (key_with(algorithm="ed25519"), "keys[0].public_key"),
    "no-algorithm": (key_with(algorithm="rsa"), "keys.0.algorithm"),
    "no-key": (key_with(public_key="00" * 64), "keys[0].public_key"),
    "key-no-hex": (key_with(public_key="zz" * 64), "keys.0.public_key"),
    "key-twice": ({**key_with(), "keys": key_with()["keys"] * 2}, "keys[2].key_id"),
    "never-valid": (key_with(valid_until="2025-03-17T02:00:00Z"), "keys[0].valid_until"),
    "no-zone": (key_with(valid_until="2027-03-17T02:00:00"), "keys.0.valid_until"),
    "time-a-number": (key_with(valid_until=1_900_000_000), "keys.0.valid_until"),
    "revoked-a-number": (key_with(revoked=0), "keys.0.revoked"),
    "field-missing": (without("valid_from"), "keys.0.valid_from"),
    "field-more": (key_with(comment="x"), "keys.0.comment"),
    "document-field-more": (key_with() | {"comment": "x"}, "comment"),
    "no-keys": (key_with() | {"keys": []}, "keys"),
    "too-many-keys": (key_with() | {"keys": key_with()["keys"] * KEYS_MAX}, "keys"),
    "threshold-0": (key_with() | {"threshold": 0}, "threshold"),
    "threshold-above-keys": (key_with() | {"threshold": 3}, "threshold"),
    "threshold-above-standing-keys": (key_with(revoked=True) | {"threshold": 2}, "threshold"),
    "threshold-text": (key_with() | {"threshold": "1"}, "threshold"),
    "threshold-a-float": (key_with() | {"threshold": 1.0}, "threshold"),
    "version-0": (key_with() | {"version": 0}, "version"),
    "another-schema": (key_with() | {"schema_version": 2}, "schema_version"),
}


@pytest.mark.parametrize(("document", "place"), WRONG.values(), ids=WRONG)
def test_a_wrong_trust_file_is_refused_by_place(document: dict[str, Any], place: str, tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    file.write_text(json.dumps(document))
    with pytest.raises(BadInputError) as raised:
        read_trust(file)
    assert raised.value.place == place
    assert str(file) in str(raised.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff", b'{"version":1,"version":1}', b"[" * 50_000, b"NaN", b" " * (TRUST_BYTES_MAX + 1)],
    ids=["empty", "list", "cut", "no-utf-8", "twice", "deep", "nan", "long"],
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(BadInputError):
        parse_trust(data)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(trust_json(trust_of([A, B]))) - 1), st.integers(1, 255))
def test_a_trust_file_with_another_byte_is_refused_or_says_so(place: int, change: int) -> None:
    data = trust_json(trust_of([A, B]))
    altered = data[:place] + bytes([data[place] ^ change]) + data[place + 1 :]
    try:
        found = parse_trust(altered)
    except BadInputError:
        return
    # What was altered is a time, a number or a revocation: it says another thing, and no other key.
    assert {key.key_id for key in found.keys} == {A.key_id, B.key_id}


def test_the_next_trust_needs_the_old_keys_and_the_new_ones() -> None:
    """Every subset of signers against the rule, said plainly."""
    old, new = trust_of([A, B, C], 2), trust_of([C, D, E], 2, version=2)
    for chosen in product([False, True], repeat=5):
        signers = [one for one, yes in zip((A, B, C, D, E), chosen, strict=True) if yes]
        if not signers:
            continue
        enough = sum(chosen[:3]) >= 2 and sum(chosen[2:]) >= 2
        document, envelope = proposed(new, signers)
        if enough:
            assert rotated(old, document, envelope, NOW).document == new.document
        else:
            with pytest.raises(RefusedBundleError) as raised:
                rotated(old, document, envelope, NOW)
            assert raised.value.refusal in (Refusal.BELOW_THRESHOLD, Refusal.UNKNOWN_KEY)


def test_a_chain_of_rotations_leaves_no_key_of_the_first() -> None:
    trust = trust_of([A, B], 2)
    for version, (leaving, coming) in enumerate([((A, B), (B, C)), ((B, C), (C, D)), ((C, D), (D, E))], start=2):
        new = trust_of(coming, 2, version=version)
        trust = rotated(trust, *proposed(new, list(dict.fromkeys([*leaving, *coming]))), NOW)
    assert trust.version == 4
    assert {key.key_id for key in trust.keys} == {D.key_id, E.key_id}


@pytest.mark.parametrize("version", [1, 2, 4, 5])
def test_only_the_next_version_follows(version: int) -> None:
    old = trust_of([A], version=2)
    with pytest.raises(BadInputError, match="must be 3"):
        rotated(old, *proposed(trust_of([A, B], version=version), [A, B]), NOW)


def test_an_envelope_over_another_trust_file_is_none() -> None:
    old, new, other = trust_of([A]), trust_of([A, B], version=2), trust_of([A, C], version=2)
    _, envelope = proposed(other, [A])
    with pytest.raises(RefusedBundleError) as raised:
        rotated(old, trust_json(new), envelope, NOW)
    assert raised.value.refusal == Refusal.ALTERED


def test_a_signature_under_a_bundle_is_none_under_a_trust_file() -> None:
    document, envelope = proposed(trust_of([A, B], version=2), [A, B], PAYLOAD_TYPE)
    with pytest.raises(RefusedBundleError) as raised:
        rotated(trust_of([A]), document, envelope, NOW)
    assert raised.value.refusal == Refusal.MALFORMED


def test_revoked_and_expired_keys_rotate_nothing() -> None:
    new = trust_of([A, B, C], version=2)
    for old, at in ((trust_of([A, B], revoked=[A]), NOW), (trust_of([A, B], end=NOW), NOW)):
        with pytest.raises(RefusedBundleError) as raised:
            rotated(old, *proposed(new, [A]), at)
        assert raised.value.refusal == Refusal.UNKNOWN_KEY
    late = trust_of([B], version=2, begin=NOW + YEAR, end=NOW + 2 * YEAR)
    with pytest.raises(RefusedBundleError) as raised:
        rotated(trust_of([A]), *proposed(late, [A, B]), NOW)
    assert raised.value.refusal == Refusal.UNKNOWN_KEY


def test_a_proposal_is_signed_by_one_holder_after_the_other() -> None:
    old, new = trust_of([A, B], 2), trust_of([B, C], 2, version=2)
    document, envelope = proposed(new, [A])
    for holder in (B, C):
        with pytest.raises(RefusedBundleError):
            rotated(old, document, envelope, NOW)
        envelope = add_signature(envelope, holder, TRUST_TYPE)
    assert rotated(old, document, envelope, NOW).version == 2


def test_trust_is_made_of_keys_of_both_kinds() -> None:
    entries = [
        trusted_key(verifier_of(one.algorithm, one.public_key), NOW, NOW + YEAR)
        for one in (sm2_signer(0), ed25519_signer(1))
    ]
    assert {entry.algorithm for entry in new_trust(entries, 2).keys} == {"sm2-sm3", "ed25519"}
    with pytest.raises(BadInputError, match="threshold"):
        new_trust(entries, 3)
    assert datetime.fromisoformat(fields_of(new_trust(entries, 1))["keys"][0]["valid_from"]) == NOW.astimezone(UTC)
