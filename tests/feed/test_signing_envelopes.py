"""Envelopes: what is accepted, and by which rule everything else is refused, first rule first."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from feed_signing import NOW, YEAR, ed25519_signer, signer, sm2_signer, trust_of
from hypothesis import given, settings
from hypothesis import strategies as st

from feed.refusals import Refusal, RefusedBundleError
from feed.signing.digests import key_id_of
from feed.signing.dsse import ENVELOPE_BYTES_MAX, PAYLOAD_TYPE, SIGNATURES_MAX, add_signature, pae, sign, verify
from feed.signing.ed25519 import Ed25519Signer
from feed.signing.signer import Signer
from feed.signing.strict_json import read_json, write_json
from feed.signing.trust import Trust
from router_core.errors import BadInputError

PAYLOAD = b'{"epoch":7}'
A, B, C, D = signer(0), signer(1), signer(2), signer(3)
TWO = trust_of([A, B, C], 2)
ONE = trust_of([A, B, C], 1)


def refusal_of(envelope: bytes | None, trust: Trust = TWO, at=NOW, kind: str = PAYLOAD_TYPE) -> Refusal:
    with pytest.raises(RefusedBundleError) as raised:
        verify(envelope, kind, trust, at)
    assert raised.value.refusal.next_en in str(raised.value)
    assert "\n" not in str(raised.value)
    return raised.value.refusal


def document(*signers: Signer) -> dict[str, Any]:
    return json.loads(sign(PAYLOAD, PAYLOAD_TYPE, signers))


def written(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()


def spoilt(signature: str) -> str:
    raw = bytearray(base64.b64decode(signature))
    raw[40] ^= 1
    return base64.b64encode(raw).decode()


def test_enough_keys_of_both_kinds_sign_and_the_payload_comes_back() -> None:
    assert verify(sign(PAYLOAD, PAYLOAD_TYPE, [A, B]), PAYLOAD_TYPE, TWO, NOW) == PAYLOAD
    assert verify(sign(b"", PAYLOAD_TYPE, [B, C]), PAYLOAD_TYPE, TWO, NOW) == b""


@pytest.mark.parametrize("threshold", range(1, 6))
@pytest.mark.parametrize("signed", range(1, 6))
def test_as_many_keys_as_the_threshold_says(threshold: int, signed: int) -> None:
    keys = [signer(seed) for seed in range(5)]
    envelope = sign(PAYLOAD, PAYLOAD_TYPE, keys[5 - signed :])
    trust = trust_of(keys, threshold)
    if signed >= threshold:
        assert verify(envelope, PAYLOAD_TYPE, trust, NOW) == PAYLOAD
    else:
        assert refusal_of(envelope, trust) == Refusal.BELOW_THRESHOLD


def test_a_key_counts_once_however_often_it_signs() -> None:
    fields = document(A)
    fields["signatures"] += document(A)["signatures"] + fields["signatures"]
    assert len({one["sig"] for one in fields["signatures"]}) == 2  # SM2 draws each signature anew
    assert refusal_of(written(fields)) == Refusal.BELOW_THRESHOLD
    assert verify(written(fields), PAYLOAD_TYPE, ONE, NOW) == PAYLOAD


def test_unknown_keys_are_passed_over_unless_no_other_is_left() -> None:
    assert verify(sign(PAYLOAD, PAYLOAD_TYPE, [D, A, B]), PAYLOAD_TYPE, TWO, NOW) == PAYLOAD
    assert refusal_of(sign(PAYLOAD, PAYLOAD_TYPE, [D])) == Refusal.UNKNOWN_KEY
    assert refusal_of(sign(PAYLOAD, PAYLOAD_TYPE, [D, A])) == Refusal.BELOW_THRESHOLD
    fields = document(A, B)
    fields["signatures"].insert(0, {"keyid": "of another tool \ud800\n", "sig": ""})
    assert verify(written(fields), PAYLOAD_TYPE, TWO, NOW) == PAYLOAD


def test_a_trusted_keys_bad_signature_refuses_all() -> None:
    for place in range(3):
        fields = document(A, B, C)
        fields["signatures"][place]["sig"] = spoilt(fields["signatures"][place]["sig"])
        assert refusal_of(written(fields)) == Refusal.BAD_SIGNATURE
    fields = document(A, B)
    one, other = fields["signatures"]
    one["sig"], other["sig"] = other["sig"], one["sig"]
    assert refusal_of(written(fields)) == Refusal.BAD_SIGNATURE


def test_other_payload_or_other_type_is_a_bad_signature() -> None:
    fields = document(A, B)
    fields["payload"] = base64.b64encode(b'{"epoch":8}').decode()
    assert refusal_of(written(fields)) == Refusal.BAD_SIGNATURE
    fields = json.loads(sign(PAYLOAD, "application/another", [A, B]))
    assert refusal_of(written(fields)) == Refusal.MALFORMED
    fields["payloadType"] = PAYLOAD_TYPE
    assert refusal_of(written(fields)) == Refusal.BAD_SIGNATURE


def test_keys_count_within_their_time_only() -> None:
    envelope = sign(PAYLOAD, PAYLOAD_TYPE, [A, B])
    trust = trust_of([A, B], 2, begin=NOW, end=NOW + YEAR)
    assert verify(envelope, PAYLOAD_TYPE, trust, NOW) == PAYLOAD
    assert verify(envelope, PAYLOAD_TYPE, trust, NOW + YEAR - timedelta(microseconds=1)) == PAYLOAD
    assert refusal_of(envelope, trust, NOW - timedelta(microseconds=1)) == Refusal.UNKNOWN_KEY
    assert refusal_of(envelope, trust, NOW + YEAR) == Refusal.UNKNOWN_KEY


def test_revoked_keys_never_count() -> None:
    trust = trust_of([A, B, C], 2, revoked=[A])
    assert refusal_of(sign(PAYLOAD, PAYLOAD_TYPE, [A]), trust) == Refusal.UNKNOWN_KEY
    assert refusal_of(sign(PAYLOAD, PAYLOAD_TYPE, [A, B]), trust) == Refusal.BELOW_THRESHOLD
    assert verify(sign(PAYLOAD, PAYLOAD_TYPE, [A, B, C]), PAYLOAD_TYPE, trust, NOW) == PAYLOAD


def test_without_signatures_it_is_unsigned() -> None:
    assert refusal_of(None) == Refusal.UNSIGNED
    assert refusal_of(written(document(A) | {"signatures": []})) == Refusal.UNSIGNED


def replaced(name: str, value: Any) -> bytes:
    return written(document(A, B) | {name: value})


def entry(**fields: Any) -> bytes:
    return replaced("signatures", [document(A)["signatures"][0] | fields])


MALFORMED = {
    "empty": b"",
    "not-utf-8": b"\xff" + written(document(A)),
    "byte-order-mark": b"\xef\xbb\xbf" + written(document(A)),
    "two-documents": written(document(A)) * 2,
    "a-number": b"1",
    "a-list": b"[]",
    "cut-off": written(document(A))[:-1],
    "no-payload": written({key: value for key, value in document(A).items() if key != "payload"}),
    "a-field-more": replaced("extra", 1),
    "a-field-twice": written(document(A))[:-1] + b',"payload":""}',
    "deep": b'{"payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "not-finite": b'{"payload":NaN}',
    "a-long-number": b'{"payload":' + b"9" * 10_000 + b"}",
    "payload-no-text": replaced("payload", 5),
    "payload-none": replaced("payload", None),
    "payload-not-padded": replaced("payload", "YQ"),
    "payload-loose-bits": replaced("payload", "YR=="),
    "payload-url-alphabet": replaced("payload", "-_-_"),
    "payload-with-a-line-end": replaced("payload", "YWJj\n"),
    "payload-not-ascii": replaced("payload", "YWJjé==="),
    "payload-surrogate": replaced("payload", "\ud800"),
    "padding-in-the-middle": replaced("payload", "YQ==YQ=="),
    "another-type": replaced("payloadType", "application/json"),
    "type-in-capitals": replaced("payloadType", PAYLOAD_TYPE.upper()),
    "type-too-long": replaced("payloadType", "a" * 201),
    "signatures-no-list": replaced("signatures", {}),
    "signature-no-object": replaced("signatures", ["x"]),
    "too-many-signatures": replaced("signatures", document(A)["signatures"] * (SIGNATURES_MAX + 1)),
    "signature-without-key": replaced("signatures", [{"sig": document(A)["signatures"][0]["sig"]}]),
    "signature-key-no-text": entry(keyid=7),
    "signature-key-too-long": entry(keyid="a" * 201),
    "signature-field-more": entry(alg="none"),
    "signature-no-text": entry(sig=[1]),
    "signature-no-base64": entry(sig="*" * 88),
    "signature-too-long": entry(sig="A" * 1_004),
}


@pytest.mark.parametrize("envelope", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_envelope_is_malformed(envelope: bytes) -> None:
    assert refusal_of(envelope, ONE) == Refusal.MALFORMED


def test_more_bytes_than_any_envelope_has_are_malformed_unread() -> None:
    assert refusal_of(b"[" * (ENVELOPE_BYTES_MAX + 1)) == Refusal.MALFORMED


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_a_bad_one(length: int) -> None:
    for key in (A, B):
        fields = document(key)
        fields["signatures"][0]["sig"] = base64.b64encode(bytes(length)).decode()
        assert refusal_of(written(fields), ONE) == Refusal.BAD_SIGNATURE


def test_equal_input_gives_equal_bytes_whatever_the_order_of_signers() -> None:
    one = sign(PAYLOAD, PAYLOAD_TYPE, [signer(1), signer(3), signer(5)])
    assert one == sign(PAYLOAD, PAYLOAD_TYPE, [signer(5), signer(1), signer(3)])
    assert one == write_json(read_json(one, ENVELOPE_BYTES_MAX))


def test_equal_documents_have_equal_texts() -> None:
    assert write_json({"b": 1, "a": [2, "é"]}) == write_json({"a": [2, "é"], "b": 1}) == b'{"a":[2,"\\u00e9"],"b":1}'


def test_signatures_are_added_one_by_one_and_never_twice() -> None:
    one = sign(PAYLOAD, PAYLOAD_TYPE, [A])
    two = add_signature(one, B)
    assert verify(two, PAYLOAD_TYPE, TWO, NOW) == PAYLOAD
    assert add_signature(two, A) == two
    assert add_signature(two, B) == two
    fields = json.loads(two)
    fields["signatures"][0]["sig"] = spoilt(fields["signatures"][0]["sig"])
    mended = add_signature(add_signature(written(fields), A), B)
    assert verify(mended, PAYLOAD_TYPE, TWO, NOW) == PAYLOAD


def test_nobody_signs_an_envelope_of_another_type_or_one_that_is_none() -> None:
    for envelope in (sign(PAYLOAD, "application/another", [A]), b"{}"):
        with pytest.raises(RefusedBundleError) as raised:
            add_signature(envelope, B)
        assert raised.value.refusal == Refusal.MALFORMED


def test_an_envelope_is_signed_by_somebody_and_by_nobody_twice() -> None:
    with pytest.raises(BadInputError, match="one at least"):
        sign(PAYLOAD, PAYLOAD_TYPE, [])
    with pytest.raises(BadInputError, match="different keys"):
        sign(PAYLOAD, PAYLOAD_TYPE, [A, A])


# secure-systems-lab/dsse: protocol.md, and testvectors/vectors.json with the keys of RFC 8032's first two tests.
STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'
VECTORS = [
    (
        STATEMENT,
        "application/vnd.in-toto+json",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==",
    ),
    (
        STATEMENT,
        "application/vnd.in-toto+json",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==",
    ),
    (
        STATEMENT,
        "application/vnd.exämple+json",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==",
    ),
    (
        b"",
        "application/vnd.in-toto+json",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==",
    ),
]


@pytest.mark.parametrize(("payload", "kind", "seed", "signature"), VECTORS, ids=["one", "other", "type", "empty"])
def test_envelopes_are_those_of_the_dsse_vectors(payload: bytes, kind: str, seed: str, signature: str) -> None:
    made = Ed25519Signer(bytes.fromhex(seed))
    envelope = sign(payload, kind, [made])
    assert json.loads(envelope) == {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"keyid": key_id_of("ed25519", made.public_key), "sig": signature}],
    }
    assert verify(envelope, kind, trust_of([made]), NOW) == payload


def test_what_is_signed_is_the_encoding_of_dsse() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("ä", b"") == "DSSEv1 2 ä 0 ".encode()


WHOLE = sign(PAYLOAD, PAYLOAD_TYPE, [ed25519_signer(1), ed25519_signer(3), sm2_signer(0)])
WHOLE_TRUST = trust_of([ed25519_signer(1), ed25519_signer(3), sm2_signer(0)], 3)


def accepted_or_refused(envelope: bytes) -> None:
    try:
        found = verify(envelope, PAYLOAD_TYPE, WHOLE_TRUST, NOW)
    except RefusedBundleError as error:
        refused = str(error)
    else:
        assert found == PAYLOAD
        return
    assert len(refused) < 1_000
    assert refused.isprintable()


def test_no_single_byte_can_be_changed_to_another_payload() -> None:
    assert verify(WHOLE, PAYLOAD_TYPE, WHOLE_TRUST, NOW) == PAYLOAD
    for place in range(len(WHOLE)):
        altered = WHOLE[:place] + bytes([WHOLE[place] ^ 1]) + WHOLE[place + 1 :]
        assert isinstance(refusal_of(altered, WHOLE_TRUST), Refusal), place


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    assert refusal_of(data) == Refusal.MALFORMED


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 40), st.binary(max_size=20)), min_size=1, max_size=4)
)
def test_pieces_cut_out_and_put_in_never_make_another_payload(cuts: list[tuple[int, int, bytes]]) -> None:
    envelope = WHOLE
    for place, length, filling in cuts:
        envelope = envelope[:place] + filling + envelope[place + length :]
    accepted_or_refused(envelope)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(base64.b64encode(PAYLOAD).decode()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
ENTRIES = st.lists(
    st.fixed_dictionaries({"keyid": st.sampled_from([A.key_id, B.key_id]) | JSON, "sig": JSON}) | JSON, max_size=4
)


@settings(max_examples=150, deadline=None)
@given(JSON | st.just(PAYLOAD_TYPE), JSON, ENTRIES | JSON)
def test_documents_of_any_content_are_refused(kind: Any, payload: Any, signatures: Any) -> None:
    refusal_of(json.dumps({"payload": payload, "payloadType": kind, "signatures": signatures}).encode())
