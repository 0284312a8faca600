"""Keys, trust and envelopes for tests; all keys are published examples or made from a number, and guard nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import naive_sm2

from feed.signing.ed25519 import Ed25519Signer
from feed.signing.key_forms import private_pem
from feed.signing.signer import Signer
from feed.signing.sm2 import Sm2Signer
from feed.signing.trust import Trust, new_trust, trusted_key
from feed.signing.verifiers import verifier_of

NOW = datetime(2026, 3, 17, 2, tzinfo=UTC)
YEAR = timedelta(days=365)


def private_of(seed: int) -> bytes:
    return hashlib.sha256(b"a key of the tests %d" % seed).digest()


@cache
def sm2_signer(seed: int) -> Sm2Signer:
    private = private_of(seed)
    return Sm2Signer(private, naive_sm2.public_of(int.from_bytes(private, "big")))


@cache
def ed25519_signer(seed: int) -> Ed25519Signer:
    return Ed25519Signer(private_of(seed))


def signer(seed: int) -> Signer:
    """Even numbers are SM2, odd ones Ed25519."""
    return ed25519_signer(seed) if seed % 2 else sm2_signer(seed)


def trust_of(
    signers: Sequence[Signer],
    threshold: int = 1,
    *,
    version: int = 1,
    begin: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
    revoked: Sequence[Signer] = (),
) -> Trust:
    names = {one.key_id for one in revoked}
    keys = [
        trusted_key(verifier_of(one.algorithm, one.public_key), begin, end).model_copy(
            update={"revoked": one.key_id in names}
        )
        for one in signers
    ]
    return new_trust(keys, threshold, version)


def pem_of(made: Signer, seed: int) -> bytes:
    return private_pem(made.algorithm, private_of(seed), made.public_key)


def told_of(text: str, private: bytes, pem: bytes = b"") -> str | None:
    """Return the piece of a private key that a text tells, in any of the usual ways of writing it; None if none."""
    low = text.lower().replace(":", "").replace(" ", "")
    for begin in range(len(private) - 7):
        if private[begin : begin + 8].hex() in low:
            return "hex"
    for shift in range(3):
        written = base64.b64encode(private[shift : shift + 27]).decode()
        if any(written[at : at + 12] in text for at in range(len(written) - 11)):
            return "base64"
    body = "".join(pem.decode().splitlines()[1:-1])
    if body:
        der = base64.b64decode(body)
        begin = der.index(private)
        inner = body[-(-begin // 3) * 4 : (begin + len(private)) // 3 * 4]
        if any(inner[at : at + 12] in text.replace("\n", "") for at in range(len(inner) - 11)):
            return "PEM"
    if str(int.from_bytes(private, "big")) in text or str(int.from_bytes(private, "little")) in text:
        return "a number"
    if any(repr(private[begin : begin + 8])[2:-1] in text for begin in range(len(private) - 7)):
        return "bytes"
    return None
