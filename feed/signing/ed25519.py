"""Ed25519 (RFC 8032), by OpenSSL."""

from __future__ import annotations

from typing import Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from feed.signing.digests import key_id_of
from feed.signing.signer import Algorithm
from router_core.errors import BadInputError

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_PRIME: Final = 2**255 - 19
# y of the points whose order divides 8. Under such a key many a message has a signature that anybody can make, and
# RFC 8032 does not have verifiers refuse them.
_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL: Final = frozenset((0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8))


class Ed25519Verifier:
    """Knows an Ed25519 public key.

    Parameters
    ----------
    public_key : bytes
        32 bytes.

    Raises
    ------
    BadInputError
        If it is of another length, not in its only canonical form, or of small order.
    """

    __slots__ = ("_key", "_key_id", "_public_key")

    def __init__(self, public_key: bytes) -> None:
        y = int.from_bytes(public_key, "little") & (2**255 - 1)
        if len(public_key) != KEY_BYTES or y >= _PRIME or y in _SMALL:
            raise BadInputError("public key", "must be 32 bytes, of no small order", f"{len(public_key)} bytes")
        self._key = Ed25519PublicKey.from_public_bytes(public_key)
        self._public_key = public_key
        self._key_id = key_id_of(self.algorithm, public_key)

    def __repr__(self) -> str:
        return f"Ed25519Verifier({self._key_id})"

    @property
    def algorithm(self) -> Algorithm:
        """Ed25519."""
        return "ed25519"

    @property
    def key_id(self) -> str:
        """As of `Signer`."""
        return self._key_id

    @property
    def public_key(self) -> bytes:
        """The key."""
        return self._public_key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether it signed this message; False for whatever is no signature."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Ed25519Signer:
    """Holds an Ed25519 private key.

    Parameters
    ----------
    private_key : bytes
        The seed, 32 bytes.

    Raises
    ------
    BadInputError
        If it is no seed; it is not told.
    """

    __slots__ = ("_key", "_verifier")

    def __init__(self, private_key: bytes) -> None:
        if len(private_key) != KEY_BYTES:
            raise BadInputError("private key", "must be 32 bytes of Ed25519", "another length")
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self._verifier = Ed25519Verifier(self._key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signer is not copied: its key stays where it is")

    @property
    def algorithm(self) -> Algorithm:
        """Ed25519."""
        return self._verifier.algorithm

    @property
    def key_id(self) -> str:
        """Name of the key."""
        return self._verifier.key_id

    @property
    def public_key(self) -> bytes:
        """Public key."""
        return self._verifier.public_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes; the same one each time."""
        return self._key.sign(message)


def new_pair() -> tuple[bytes, bytes]:
    """Return a new seed and its public key."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()
