"""Whose signatures count: a list of public keys and a threshold, and how one list gives way to the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from feed.clock import sayable_in_utc
from feed.durable import READABLE, write_durably
from feed.signing.guarded_files import read_unalterable
from feed.signing.signer import Algorithm, Verifier
from feed.signing.strict_json import read_json, write_json
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError

TRUST_BYTES_MAX: Final = 1 << 20
KEYS_MAX: Final = 64
TRUST_TYPE: Final = "application/vnd.exchange-router.trust+json"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


Moment = Annotated[AwareDatetime, AfterValidator(sayable_in_utc)]


class TrustedKey(_Document):
    """One key.

    Attributes
    ----------
    key_id : str
        As of `Signer`; it is checked against the key.
    algorithm : str
    public_key : str
        Raw, in hex.
    valid_from, valid_until : datetime
        Its signatures count from the one, and before the other.
    revoked : bool
        None of its signatures counts, whenever made.
    """

    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    algorithm: Algorithm
    public_key: Annotated[str, Field(pattern=r"^([0-9a-f]{64}){1,2}$")]
    valid_from: Moment
    valid_until: Moment
    revoked: bool = False


class TrustDocument(_Document):
    """``trust.json``.

    Attributes
    ----------
    schema_version : int
    version : int
        The next trust file has the next number.
    threshold : int
        So many different keys must sign.
    keys : tuple of TrustedKey
    """

    schema_version: Literal[1] = 1
    version: Annotated[int, Field(ge=1, lt=2**53)]
    threshold: Annotated[int, Field(ge=1, le=KEYS_MAX)]
    keys: Annotated[tuple[TrustedKey, ...], Field(min_length=1, max_length=KEYS_MAX)]


class Trust:
    """The keys that a reader trusts.

    Parameters
    ----------
    document : TrustDocument

    Raises
    ------
    BadInputError
        If a key has another name than its own, is there twice, is none of its algorithm, never holds, or if fewer keys
        than the threshold are left unrevoked.
    """

    def __init__(self, document: TrustDocument) -> None:
        self.document = document
        self._keys: dict[str, tuple[TrustedKey, Verifier]] = {}
        for position, key in enumerate(document.keys):
            place = f"keys[{position}]"
            verifier = _verifier(place, key)
            if verifier.key_id != key.key_id:
                raise BadInputError(f"{place}.key_id", f"must be {verifier.key_id}, which the key gives", key.key_id)
            if key.key_id in self._keys:
                raise BadInputError(f"{place}.key_id", "must be there once", key.key_id)
            if not key.valid_from < key.valid_until:
                raise BadInputError(f"{place}.valid_until", "must be after valid_from", _text(key.valid_until))
            self._keys[key.key_id] = key, verifier
        standing = sum(not key.revoked for key in document.keys)
        if document.threshold > standing:
            raise BadInputError("threshold", f"must be at most the {standing} keys not revoked", document.threshold)

    @property
    def version(self) -> int:
        """Number of the trust file."""
        return self.document.version

    @property
    def threshold(self) -> int:
        """So many different keys must sign."""
        return self.document.threshold

    @property
    def keys(self) -> tuple[TrustedKey, ...]:
        """All keys, usable or not."""
        return self.document.keys

    def verifier(self, key_id: str, at: datetime) -> Verifier | None:
        """Return who verifies signatures of a key, None where they do not count at that time."""
        return None if self.flaw(key_id, at) else self._keys[key_id][1]

    def flaw(self, key_id: str, at: datetime) -> str | None:
        """Return why a key's signatures do not count at that time, None where they do."""
        if key_id not in self._keys:
            return "is not in the trust file"
        key = self._keys[key_id][0]
        if key.revoked:
            return "is revoked"
        if at < key.valid_from:
            return f"is not valid before {_text(key.valid_from)}"
        if at >= key.valid_until:
            return f"was valid until {_text(key.valid_until)}"
        return None


def trusted_key(verifier: Verifier, valid_from: datetime, valid_until: datetime) -> TrustedKey:
    """Return the entry of a key."""
    return TrustedKey(
        key_id=verifier.key_id,
        algorithm=verifier.algorithm,
        public_key=verifier.public_key.hex(),
        valid_from=valid_from,
        valid_until=valid_until,
    )


def new_trust(keys: Sequence[TrustedKey], threshold: int, version: int = 1) -> Trust:
    """Return the trust of these keys.

    Raises
    ------
    BadInputError
        As of `Trust`.
    """
    return _checked(lambda: TrustDocument(version=version, threshold=threshold, keys=tuple(keys)))


def trust_json(trust: Trust) -> bytes:
    """Return ``trust.json``: the one text of the document, times in UTC; this is what rotation signs."""
    document = trust.document.model_dump()
    for key in document["keys"]:
        key["valid_from"], key["valid_until"] = _text(key["valid_from"]), _text(key["valid_until"])
    return write_json(document) + b"\n"


def parse_trust(data: bytes) -> Trust:
    """Return what a ``trust.json`` says.

    Raises
    ------
    BadInputError
        If it is no such document; what it holds is not told beyond the place.
    """
    try:
        document = read_json(data, TRUST_BYTES_MAX)
    except ValueError as error:
        raise BadInputError("trust file", str(error), "another text") from None
    return _checked(lambda: TrustDocument.model_validate_json(json.dumps(document)))


def read_trust(path: Path) -> Trust:
    """Return the trust of a file that nobody but its owner can alter.

    Raises
    ------
    BadInputError
        If it is no such file, or says nothing that can be relied on.
    """
    data = read_unalterable(path, TRUST_BYTES_MAX)
    try:
        return parse_trust(data)
    except BadInputError as error:
        raise error.within(str(path)) from None


def write_trust(path: Path, trust: Trust) -> None:
    """Put a trust file in its place, whole or not at all."""
    write_durably(path, trust_json(trust), READABLE)


def _checked(make: Callable[[], TrustDocument]) -> Trust:
    try:
        return Trust(make())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "trust file"
        raise BadInputError(place, first["msg"], "another value") from None


def _verifier(place: str, key: TrustedKey) -> Verifier:
    try:
        return verifier_of(key.algorithm, bytes.fromhex(key.public_key))
    except BadInputError as error:
        raise BadInputError(f"{place}.public_key", error.rule, error.value) from None


def _text(when: datetime) -> str:
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")
