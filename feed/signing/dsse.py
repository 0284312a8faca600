"""Envelopes of signed bytes: DSSE 1.0 (secure-systems-lab/dsse, protocol.md), and who must have signed.

This reader takes less than DSSE allows: base64 of the standard alphabet alone, every signature with its key's name, no
further fields; and a signature by a trusted key that does not verify refuses the envelope, where DSSE skips it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from feed.refusals import Refusal, RefusedBundleError
from feed.signing.signer import Signer
from feed.signing.strict_json import read_json, write_json
from feed.signing.trust import Trust
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError

PAYLOAD_TYPE: Final = "application/vnd.exchange-router.manifest+json"
ENVELOPE_BYTES_MAX: Final = 64 << 20
SIGNATURES_MAX: Final = 64
_TEXT_MAX: Final = 200
_SIGNATURE_TEXT_MAX: Final = 1_000


@dataclass(frozen=True, eq=False)
class Envelope:
    """What an envelope holds; nothing of it is verified.

    Attributes
    ----------
    payload_type : str
    payload : bytes
    signatures : tuple of (key_id, signature)
        In the order of the envelope.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, signers: Sequence[Signer]) -> bytes:
    """Return the envelope of a payload with the signatures of all signers, in order of key names.

    Equal input gives equal bytes but for SM2, whose signatures are drawn anew each time.

    Raises
    ------
    BadInputError
        If there is no signer or one twice, or what a signer makes does not verify by its own public key.
    """
    if not signers:
        raise BadInputError("signers", "must be one at least", 0)
    names = [signer.key_id for signer in signers]
    if len(set(names)) != len(names):
        raise BadInputError("signers", "must be different keys", sorted(names))
    message = pae(payload_type, payload)
    return _written(payload_type, payload, {signer.key_id: _signature(signer, message) for signer in signers})


def add_signature(envelope_json: bytes, signer: Signer, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return an envelope with one signature more; one that this key made already, and that holds, stays as it is.

    The caller has seen to it that the payload is what the key's holder means to sign.

    Raises
    ------
    RefusedBundleError
        If it is no envelope, or one of another type: nobody is made to sign what he was not asked for.
    BadInputError
        If what the signer makes does not verify by its own public key, or there are too many signatures.
    """
    envelope = open_envelope(envelope_json, payload_type)
    message = pae(envelope.payload_type, envelope.payload)
    verifier = verifier_of(signer.algorithm, signer.public_key)
    signatures = dict(envelope.signatures)
    if not verifier.verifies(message, signatures.get(signer.key_id, b"")):
        signatures[signer.key_id] = _signature(signer, message)
    if len(signatures) > SIGNATURES_MAX:
        raise BadInputError("signatures", f"must be at most {SIGNATURES_MAX}", len(signatures))
    return _written(envelope.payload_type, envelope.payload, signatures)


def verify(envelope_json: bytes | None, payload_type: str, trust: Trust, at: datetime) -> bytes:
    """Return the payload of an envelope that enough trusted keys have signed.

    Parameters
    ----------
    envelope_json : bytes or None
        None: there is none.
    payload_type : str
        What the payload must be.
    trust : Trust
    at : datetime
        Aware; keys must be valid at that time.

    Raises
    ------
    RefusedBundleError
        By the first rule broken, in this order: ``MALFORMED`` it is no envelope of that type; ``UNSIGNED`` it has no
        signature; ``BAD_SIGNATURE`` one by a trusted key does not verify; ``UNKNOWN_KEY`` none is by a trusted key;
        ``BELOW_THRESHOLD`` too few trusted keys have signed, each counted once.
    """
    if envelope_json is None:
        raise RefusedBundleError(Refusal.UNSIGNED, "it has no envelope")
    envelope = open_envelope(envelope_json, payload_type)
    if not envelope.signatures:
        raise RefusedBundleError(Refusal.UNSIGNED, "its envelope has no signature")
    message = pae(envelope.payload_type, envelope.payload)
    accepted: set[str] = set()
    ignored: list[str] = []
    for position, (key_id, signature) in enumerate(envelope.signatures):
        verifier = trust.verifier(key_id, at)
        if verifier is None:
            ignored.append(f"key {key_id[:64]} {trust.flaw(key_id, at)}")
        elif verifier.verifies(message, signature):
            accepted.add(key_id)
        else:
            raise RefusedBundleError(
                Refusal.BAD_SIGNATURE, f"signatures[{position}]: must be by key {key_id}, and is not"
            )
    if not accepted:
        raise RefusedBundleError(Refusal.UNKNOWN_KEY, f"signatures: {'; '.join(ignored)}")
    if len(accepted) < trust.threshold:
        but = "".join(f"; {flaw}" for flaw in ignored)
        raise RefusedBundleError(
            Refusal.BELOW_THRESHOLD, f"signatures: must be by {trust.threshold} keys, and are by {len(accepted)}{but}"
        )
    return envelope.payload


def open_envelope(envelope_json: bytes, payload_type: str) -> Envelope:
    """Return what an envelope holds, unverified.

    Raises
    ------
    RefusedBundleError
        ``MALFORMED``, if it is no envelope, or one of another type.
    """
    try:
        document = read_json(envelope_json, ENVELOPE_BYTES_MAX)
        envelope = _envelope(document)
    except ValueError as error:
        raise RefusedBundleError(Refusal.MALFORMED, f"envelope: {error}") from None
    if envelope.payload_type != payload_type:
        raise RefusedBundleError(
            Refusal.MALFORMED, f"envelope.payloadType: must be {payload_type}, and is {envelope.payload_type!r}"
        )
    return envelope


def _envelope(document: object) -> Envelope:
    fields = _fields("it", document, ("payload", "payloadType", "signatures"))
    entries = fields["signatures"]
    if not isinstance(entries, list) or len(entries) > SIGNATURES_MAX:
        raise ValueError(f"signatures: must be a list of at most {SIGNATURES_MAX}")
    signatures = []
    for position, entry in enumerate(entries):
        place = f"signatures[{position}]"
        signature = _fields(place, entry, ("keyid", "sig"))
        name = _string(f"{place}.keyid", signature["keyid"], _TEXT_MAX)
        signatures.append((name, _bytes(f"{place}.sig", signature["sig"], _SIGNATURE_TEXT_MAX)))
    return Envelope(
        payload_type=_string("payloadType", fields["payloadType"], _TEXT_MAX),
        payload=_bytes("payload", fields["payload"], ENVELOPE_BYTES_MAX),
        signatures=tuple(signatures),
    )


def _fields(place: str, document: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(document, dict) or set(document) != set(names):
        raise ValueError(f"{place}: must have the fields {', '.join(names)}, and no others")
    return document


def _string(place: str, value: object, length_max: int) -> str:
    if not isinstance(value, str) or len(value) > length_max:
        raise ValueError(f"{place}: must be text of at most {length_max} characters")
    return value


def _bytes(place: str, value: object, length_max: int) -> bytes:
    text = _string(place, value, length_max)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{place}: must be base64 of the standard alphabet, padded") from None
    # Bits behind the last byte could differ: there is one text of the same bytes, and no other is taken.
    if base64.b64encode(data).decode() != text:
        raise ValueError(f"{place}: must be base64 in its one canonical form")
    return data


def _signature(signer: Signer, message: bytes) -> bytes:
    signature = signer.sign(message)
    # A module may sign in another form, under another identity, or with another key than it says.
    verifier = verifier_of(signer.algorithm, signer.public_key)
    if verifier.key_id != signer.key_id or not verifier.verifies(message, signature):
        raise BadInputError(
            f"signer {signer.key_id}", "must make raw signatures that its own public key verifies", "another one"
        )
    return signature


def _written(payload_type: str, payload: bytes, signatures: dict[str, bytes]) -> bytes:
    entries = [{"keyid": name, "sig": base64.b64encode(made).decode()} for name, made in sorted(signatures.items())]
    document = {"payload": base64.b64encode(payload).decode(), "payloadType": payload_type, "signatures": entries}
    return write_json(document)
