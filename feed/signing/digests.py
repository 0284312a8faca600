"""Digests of files, messages and keys: SM3 as GB/T 32905 has it, and SHA-256."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.hashes import SM3, Hash

from feed.signing.signer import Algorithm


def sm3_hex(data: bytes) -> str:
    """Return the SM3 digest (GB/T 32905) in hex."""
    # From cryptography, not hashlib: whether Python's own OpenSSL has SM3 depends on who built it.
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize().hex()


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 digest in hex."""
    return hashlib.sha256(data).hexdigest()


def key_id_of(algorithm: Algorithm, public_key: bytes) -> str:
    """Return a key's name: SHA-256 in hex of the algorithm's name, a zero byte and the raw public key."""
    return sha256_hex(algorithm.encode() + b"\0" + public_key)
