"""Keys in files: private ones that their owner alone can read, public ones for everybody."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from feed.durable import PRIVATE, READABLE, sync_folder
from feed.signing import ed25519, sm2
from feed.signing.guarded_files import read_private, read_unalterable
from feed.signing.key_forms import PEM_BYTES_MAX, parse_private, parse_public, private_pem, public_pem
from feed.signing.signer import Algorithm, Signer, Verifier
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError


def new_key(algorithm: Algorithm, path: Path) -> Verifier:
    """Draw a new key, write it to a new file, and return its public half.

    Raises
    ------
    BadInputError
        If there is a file already: a key is never written over.
    """
    private_key, public_key = {"sm2-sm3": sm2.new_pair, "ed25519": ed25519.new_pair}[algorithm]()
    write_key(path, algorithm, private_key, public_key)
    return verifier_of(algorithm, public_key)


def write_key(path: Path, algorithm: Algorithm, private_key: bytes, public_key: bytes) -> None:
    """Write a private key to a new file, PKCS #8 in PEM, for its owner alone.

    Raises
    ------
    BadInputError
        If there is a file already, or it cannot be made.
    """
    write_new(path, private_pem(algorithm, private_key, public_key), PRIVATE)


def write_public_key(path: Path, verifier: Verifier) -> None:
    """Write a public key to a new file, SubjectPublicKeyInfo in PEM.

    Raises
    ------
    BadInputError
        If there is a file already, or it cannot be made.
    """
    write_new(path, public_pem(verifier.algorithm, verifier.public_key), READABLE)


def read_signer(path: Path) -> Signer:
    """Return who signs by the key of a file.

    Raises
    ------
    BadInputError
        If the file is not its owner's alone (`read_private`), or holds no key of these; the key is never told.
    """
    text = read_private(path, PEM_BYTES_MAX)
    try:
        algorithm, private_key, public_key = parse_private(text)
    except ValueError as error:
        raise BadInputError("private key", str(error), "another text", str(path)) from None
    try:
        return sm2.Sm2Signer(private_key, public_key) if algorithm == "sm2-sm3" else ed25519.Ed25519Signer(private_key)
    except BadInputError as error:
        raise error.within(str(path)) from None


def read_verifier(path: Path) -> Verifier:
    """Return who verifies by the public key of a file that nobody but its owner can alter.

    Raises
    ------
    BadInputError
        If it is no such file, or holds no public key.
    """
    text = read_unalterable(path, PEM_BYTES_MAX)
    try:
        return verifier_of(*parse_public(text))
    except ValueError as error:
        raise BadInputError("public key", str(error), "another text", str(path)) from None
    except BadInputError as error:
        raise error.within(str(path)) from None


def read_public_half(path: Path) -> tuple[Verifier, bool]:
    """Return the public half of a key file of either kind, and whether the file holds the private one too.

    Raises
    ------
    BadInputError
        As of `read_signer` for a private key, of `read_verifier` for whatever else.
    """
    if b"PRIVATE" in read_unalterable(path, PEM_BYTES_MAX):
        signer = read_signer(path)
        return verifier_of(signer.algorithm, signer.public_key), True
    return read_verifier(path), False


def write_new(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Write a new file; raises `BadInputError` if there is one already, or it cannot be made."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError as error:
        raise BadInputError("file", "must be a new one in a folder that is there", error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.absolute().parent)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
