"""One protocol for whoever signs, and one for whoever verifies: files now, a hardware module tomorrow."""

from __future__ import annotations

from typing import Final, Literal, Protocol

Algorithm = Literal["sm2-sm3", "ed25519"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("sm2-sm3", "ed25519")


class Signer(Protocol):
    """Holds a private key, or speaks to what holds it, and never tells it; `repr` shows the key's name alone."""

    @property
    def algorithm(self) -> Algorithm:
        """How it signs."""
        ...

    @property
    def key_id(self) -> str:
        """SHA-256 in hex of the algorithm's name, a zero byte and the raw public key."""
        ...

    @property
    def public_key(self) -> bytes:
        """Raw public key: 64 bytes x || y of SM2, 32 bytes of Ed25519."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature: 64 bytes, r || s of SM2, or of Ed25519."""
        ...


class Verifier(Protocol):
    """Knows one public key."""

    @property
    def algorithm(self) -> Algorithm:
        """How signatures are made."""
        ...

    @property
    def key_id(self) -> str:
        """As of `Signer`."""
        ...

    @property
    def public_key(self) -> bytes:
        """Raw public key, as of `Signer`."""
        ...

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether it signed this message; False for whatever is no signature."""
        ...
