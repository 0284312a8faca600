"""Targets: envelopes, trust files and their rotation, keys, tokens."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from random import Random

from feed_signing import NOW, ed25519_signer, private_of, sm2_signer, trust_of

from feed.server.auth import Role, TokenAuthority, add_token, read_tokens
from feed.signing import dsse
from feed.signing.key_files import read_public_half, read_signer, read_verifier
from feed.signing.key_forms import PEM_BYTES_MAX, private_pem, public_pem
from feed.signing.rotation import rotated
from feed.signing.trust import TRUST_TYPE, Trust, parse_trust, trust_json
from fuzzing.mutating import scratched
from fuzzing.target import Target, as_file, hold
from fuzzing.texts import changed_lines
from fuzzing.trees import changed_json
from router_core.errors import BadInputError

_ONE, _OTHER, _STRANGER = 1, 3, 5
_PAYLOAD = b'{"what":"was signed"}'


@cache
def _trust(version: int = 1) -> Trust:
    return trust_of([ed25519_signer(_ONE), ed25519_signer(_OTHER)], 2, version=version)


def _envelope(data: bytes) -> object:
    envelope = dsse.open_envelope(data, dsse.PAYLOAD_TYPE)
    pieces = {"payload": b64encode(envelope.payload).decode(), "payloadType": envelope.payload_type}
    hold("an envelope opens to what it holds", {**json.loads(data), **pieces} == json.loads(data), pieces)
    payload = dsse.verify(data, dsse.PAYLOAD_TYPE, _trust(), NOW)
    hold("nothing comes out but what was signed", payload == _PAYLOAD, payload)
    return envelope


def _envelope_seeds() -> list[bytes]:
    one, other, stranger = (ed25519_signer(seed) for seed in (_ONE, _OTHER, _STRANGER))
    keys = ([one, other], [one], [stranger, one], [one, other, stranger])
    return [
        *(dsse.sign(_PAYLOAD, dsse.PAYLOAD_TYPE, signers) for signers in keys),
        dsse.sign(_PAYLOAD, "text/plain", [one]),
    ]


def _trust_file(data: bytes) -> object:
    trust = parse_trust(data)
    text = trust_json(trust)
    hold("a trust file is written as it was read", trust_json(parse_trust(text)) == text, text)
    return trust


def _trust_seeds() -> list[bytes]:
    mixed = trust_of([ed25519_signer(_ONE), sm2_signer(2)], 1, revoked=[sm2_signer(2)])
    return [trust_json(_trust()), trust_json(mixed)]


def _rotation(data: bytes) -> object:
    """A trust file, a zero byte, and its envelope."""
    document, _, envelope = data.partition(b"\0")
    new = rotated(_trust(), document, envelope, NOW)
    signed = {one["keyid"] for one in json.loads(envelope)["signatures"]}
    hold("only what both old keys signed follows", {one.key_id for one in _trust().keys} <= signed, signed)
    hold("the next version alone follows", new.version == 2, new.version)
    return new


def _rotation_seeds() -> list[bytes]:
    text = trust_json(_trust(2))
    return [text + b"\0" + dsse.sign(text, TRUST_TYPE, [ed25519_signer(_ONE), ed25519_signer(_OTHER)])]


def _changed_rotation(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change one of the two; a document may be signed anew, by one key or by both."""
    document, _, envelope = data.partition(b"\0")
    if random.random() < 0.5:
        document = changed_json(document, random, ())
        if random.random() < 0.8:
            keys = [ed25519_signer(_ONE), ed25519_signer(_OTHER)]
            envelope = dsse.sign(document, TRUST_TYPE, keys[: random.choice((1, 2, 2))])
    else:
        envelope = changed_json(envelope, random, ())
    return document + b"\0" + envelope


def _key(data: bytes) -> object:
    path = as_file(data[: PEM_BYTES_MAX + 8], "key.pem")
    taken: object = None
    for read in (read_signer, read_verifier):
        try:
            half = read(path)
        except BadInputError as error:
            hold("no error tells of a key", private_of(_ONE).hex() not in str(error))
            continue
        hold("it is one of the two", taken is None)
        taken = half
        made = public_pem(half.algorithm, half.public_key)
        again = read_verifier(as_file(made, "key-again.pem"))
        hold("a key is written as it was read", again.public_key == half.public_key)
    verifier, private = read_public_half(path)
    hold("the public half is the key's", verifier.key_id == taken.key_id, private)  # type: ignore[attr-defined]
    return taken


def _key_seeds() -> list[bytes]:
    one, other = ed25519_signer(_ONE), sm2_signer(2)
    return [
        private_pem("ed25519", private_of(_ONE), one.public_key),
        private_pem("sm2-sm3", private_of(2), other.public_key),
        public_pem("ed25519", one.public_key),
        public_pem("sm2-sm3", other.public_key),
    ]


def _tokens(data: bytes) -> object:
    tokens = read_tokens(as_file(data, "tokens.json"))
    authority = TokenAuthority(tokens)
    for entry in tokens.tokens:
        hold("a name without its secret is nobody", authority.identity(f"Bearer {entry.name}.x".encode(), None) is None)
    return tokens


def _tokens_seeds() -> list[bytes]:
    path = as_file(b"", "tokens-seed.json")
    path.unlink()
    for name, role, scope in (("a", Role.AGENT, "province-data"), ("b", Role.ADMIN, None)):
        add_token(path, name, role, scope)
    tokens = json.loads(path.read_bytes())
    for entry in tokens["tokens"]:  # secrets are drawn anew each time; seeds stay the same
        entry["sha256"] = sha256(b"secret").hexdigest()
    return [json.dumps(tokens).encode(), b'{"tokens":[]}']


def _bearer(data: bytes) -> object:
    """A header of authorization."""
    known = TokenAuthority(read_tokens(as_file(_tokens_seed(), "tokens-known.json")))
    return known.identity(data, None)


@cache
def _tokens_seed() -> bytes:
    return _tokens_seeds()[0]


def _pem_lines(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    return (changed_lines if random.random() < 0.5 else scratched)(data, random, others)


TARGETS = (
    Target("envelope", "a DSSE envelope, `feed.signing.dsse`", _envelope, _envelope_seeds, changed_json, cost=0.15),
    Target(
        "trust", "a trust file, `feed.signing.trust.parse_trust`", _trust_file, _trust_seeds, changed_json, cost=0.15
    ),
    Target(
        "rotation",
        "a trust file's successor, `feed.signing.rotation.rotated`",
        _rotation,
        _rotation_seeds,
        _changed_rotation,
        cost=0.3,
    ),
    Target("key", "a key file, `feed.signing.key_files`", _key, _key_seeds, _pem_lines, cost=0.15),
    Target("tokens", "a token file, `feed.server.auth.read_tokens`", _tokens, _tokens_seeds, changed_json, cost=0.1),
    Target(
        "bearer",
        "a header of authorization, `feed.server.auth.TokenAuthority`",
        _bearer,
        lambda: [b"Bearer a.secret", b"bearer b."],
        scratched,
        cost=0.15,
    ),
)
