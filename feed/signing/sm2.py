"""SM2 with SM3 (GB/T 32918.2, curve sm2p256v1), by GmSSL; signatures are r || s, 64 bytes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import gmssl_pyx  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from feed.signing.digests import key_id_of
from feed.signing.signer import Algorithm
from router_core.errors import BadInputError

# What GM/T 0009 has every signer take who was not given an identity of his own.
SIGNER_ID: Final = b"1234567812345678"
PRIVATE_BYTES: Final = 32
PUBLIC_BYTES: Final = 64
SIGNATURE_BYTES: Final = 64
ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


class Sm2Verifier:
    """Knows an SM2 public key.

    Parameters
    ----------
    public_key : bytes
        x || y, 64 bytes.

    Raises
    ------
    BadInputError
        If it is no point of the curve.
    """

    __slots__ = ("_key_id", "_public_key")

    def __init__(self, public_key: bytes) -> None:
        if len(public_key) != PUBLIC_BYTES or not _on_curve(public_key):
            raise BadInputError("public key", "must be x || y of a point of sm2p256v1", f"{len(public_key)} bytes")
        self._public_key = public_key
        self._key_id = key_id_of(self.algorithm, public_key)

    def __repr__(self) -> str:
        return f"Sm2Verifier({self._key_id})"

    @property
    def algorithm(self) -> Algorithm:
        """SM2 with SM3."""
        return "sm2-sm3"

    @property
    def key_id(self) -> str:
        """As of `Signer`."""
        return self._key_id

    @property
    def public_key(self) -> bytes:
        """The key, x || y."""
        return self._public_key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether it signed this message; False for whatever is no signature."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        if not (0 < r < ORDER and 0 < s < ORDER):
            return False
        with _hushed():
            return bool(gmssl_pyx.sm2_verify(self._public_key, message, encode_dss_signature(r, s), SIGNER_ID))


class Sm2Signer:
    """Holds an SM2 private key.

    Parameters
    ----------
    private_key : bytes
        32 bytes, from 1 to n - 2.
    public_key : bytes
        The key that belongs to it, x || y.

    Raises
    ------
    BadInputError
        If either is no key, or they are no pair; the private key is not told.
    """

    __slots__ = ("_private_key", "_verifier")

    def __init__(self, private_key: bytes, public_key: bytes) -> None:
        if len(private_key) != PRIVATE_BYTES or not 0 < int.from_bytes(private_key, "big") < ORDER - 1:
            raise BadInputError("private key", "must be 32 bytes of SM2, from 1 to n - 2", "another value")
        self._verifier = Sm2Verifier(public_key)
        self._private_key = private_key
        if not self._verifier.verifies(b"pair", self.sign(b"pair")):
            raise BadInputError("private key", "must belong to the public key beside it", self._verifier.key_id)

    def __repr__(self) -> str:
        return f"Sm2Signer({self.key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not copied: its key stays where it is")

    @property
    def algorithm(self) -> Algorithm:
        """SM2 with SM3."""
        return self._verifier.algorithm

    @property
    def key_id(self) -> str:
        """Name of the key."""
        return self._verifier.key_id

    @property
    def public_key(self) -> bytes:
        """Public key, x || y."""
        return self._verifier.public_key

    def sign(self, message: bytes) -> bytes:
        """Return r || s; another one every time, as SM2 draws a random number for each signature."""
        made = gmssl_pyx.sm2_sign(self._private_key, self._verifier.public_key, message, SIGNER_ID)
        r, s = decode_dss_signature(made)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def new_pair() -> tuple[bytes, bytes]:
    """Return a new private key and its public key, drawn by GmSSL from the system's random numbers."""
    public_key, private_key = gmssl_pyx.sm2_key_generate()
    return private_key, public_key


def _on_curve(public_key: bytes) -> bool:
    try:
        return bool(gmssl_pyx.normalize_sm2_public_key(public_key) == public_key)
    except gmssl_pyx.InvalidValueError:
        return False


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep to itself what GmSSL's C code writes on stderr for each signature that is none: places in its own source.

    That descriptor belongs to the whole process, so it is left alone where another thread may write to it meanwhile.
    """
    try:
        kept = os.dup(2) if threading.active_count() == 1 else -1
    except OSError:  # there is no stderr
        kept = -1
    if kept < 0:
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.dup2(nowhere, 2)
        finally:
            os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
