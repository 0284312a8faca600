"""The verifier of a public key, by algorithm: the one table of the algorithms there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from feed.signing.ed25519 import Ed25519Verifier
from feed.signing.signer import Algorithm, Verifier
from feed.signing.sm2 import Sm2Verifier

_VERIFIERS: Final[dict[Algorithm, Callable[[bytes], Verifier]]] = {
    "sm2-sm3": Sm2Verifier,
    "ed25519": Ed25519Verifier,
}


def verifier_of(algorithm: Algorithm, public_key: bytes) -> Verifier:
    """Return who verifies by this key.

    Raises
    ------
    BadInputError
        If it is no key of the algorithm.
    """
    return _VERIFIERS[algorithm](public_key)
