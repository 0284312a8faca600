"""Keys as PEM text that OpenSSL reads and writes: PKCS #8 for private ones, SubjectPublicKeyInfo for public ones.

Each algorithm's DER has one length and one frame (RFC 8410 for Ed25519; RFC 5915 inside RFC 5208, with the SM2 curve
of GM/T 0006, for SM2), so a key is read by comparing the frame: nothing else is taken, and nothing is parsed.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from feed.signing.signer import Algorithm

PEM_BYTES_MAX: Final = 4_096
_PRIVATE: Final = "PRIVATE KEY"
_PUBLIC: Final = "PUBLIC KEY"
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\r\n]+)\r?\n-----END \1-----(\r?\n)*")
_LINE: Final = 64


@dataclass(frozen=True)
class _Frame:
    """DER around a key: before the private key, between it and the public one, and before a public key alone."""

    before_private: bytes
    private_bytes: int
    between: bytes
    holds_public: bool
    before_public: bytes
    public_bytes: int


_FRAMES: Final[dict[Algorithm, _Frame]] = {
    "sm2-sm3": _Frame(
        before_private=bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420"),
        private_bytes=32,
        between=bytes.fromhex("a14403420004"),
        holds_public=True,
        before_public=bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004"),
        public_bytes=64,
    ),
    "ed25519": _Frame(
        before_private=bytes.fromhex("302e020100300506032b657004220420"),
        private_bytes=32,
        between=b"",
        holds_public=False,
        before_public=bytes.fromhex("302a300506032b6570032100"),
        public_bytes=32,
    ),
}


def private_pem(algorithm: Algorithm, private_key: bytes, public_key: bytes) -> bytes:
    """Return the text of a private key; that of SM2 holds the public one too."""
    frame = _FRAMES[algorithm]
    return _pem(
        _PRIVATE, frame.before_private + private_key + (frame.between + public_key if frame.holds_public else b"")
    )


def public_pem(algorithm: Algorithm, public_key: bytes) -> bytes:
    """Return the text of a public key."""
    return _pem(_PUBLIC, _FRAMES[algorithm].before_public + public_key)


def parse_private(text: bytes) -> tuple[Algorithm, bytes, bytes]:
    """Return algorithm, private key and public key (empty if the text holds none).

    Raises
    ------
    ValueError
        If it is no private key of these; nothing of the text is told.
    """
    der = _der(text, _PRIVATE)
    for algorithm, frame in _FRAMES.items():
        begin = len(frame.before_private)
        end = begin + frame.private_bytes
        rest = frame.between if frame.holds_public else b""
        length = end + len(rest) + (frame.public_bytes if frame.holds_public else 0)
        if len(der) == length and der.startswith(frame.before_private) and der[end : end + len(rest)] == rest:
            return algorithm, der[begin:end], der[end + len(rest) :]
    raise ValueError("must hold an Ed25519 key, or an SM2 key with its public key, in PKCS #8 without a passphrase")


def parse_public(text: bytes) -> tuple[Algorithm, bytes]:
    """Return algorithm and public key.

    Raises
    ------
    ValueError
        If it is no public key of these; nothing of the text is told.
    """
    der = _der(text, _PUBLIC)
    for algorithm, frame in _FRAMES.items():
        if len(der) == len(frame.before_public) + frame.public_bytes and der.startswith(frame.before_public):
            return algorithm, der[len(frame.before_public) :]
    raise ValueError("must hold an Ed25519 or SM2 key")


def _pem(label: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[begin : begin + _LINE] for begin in range(0, len(text), _LINE)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _der(text: bytes, label: str) -> bytes:
    block = _BLOCK.fullmatch(text.decode("ascii", "replace"))
    if block is None:
        raise ValueError(f"must be one PEM block, -----BEGIN {label}-----")
    if block[1] != label:
        told = "a private key" if "PRIVATE" in block[1] else "something else"
        raise ValueError(f"must be a PEM block -----BEGIN {label}-----, and is {told}")
    body = block[2].replace("\r", "").replace("\n", "")
    try:
        der = base64.b64decode(body, validate=True)
    except binascii.Error:
        der = b""
    if base64.b64encode(der).decode() != body:
        raise ValueError("must be base64 in its one canonical form")
    return der
