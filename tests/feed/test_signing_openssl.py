"""Keys and signatures crosswise against OpenSSL's command line, which shares no code with ours."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from feed.signing.key_files import new_key, read_signer, read_verifier, write_public_key
from feed.signing.signer import ALGORITHMS, Algorithm
from feed.signing.verifiers import verifier_of

MESSAGES = {"byte": b"m", "short": b"message digest", "long": bytes(range(256)) * 300}
IDENTITY = "1234567812345678"


def openssl(*arguments: object, fails: bool = False) -> bytes:
    command = shutil.which("openssl")
    if command is None:
        pytest.skip("no openssl on this machine")
    done = subprocess.run([command, *map(str, arguments)], capture_output=True, check=False)
    if not fails:
        assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def has_sm2(tmp_path_factory) -> None:
    command = shutil.which("openssl")
    if command is None:
        pytest.skip("no openssl on this machine")
    made = subprocess.run([command, "genpkey", "-algorithm", "SM2"], capture_output=True, check=False)
    if made.returncode or b"BEGIN PRIVATE KEY" not in made.stdout:
        pytest.skip("this openssl was built without SM2")


def options(algorithm: Algorithm) -> list[str]:
    return ["-digest", "sm3", "-pkeyopt", f"distid:{IDENTITY}"] if algorithm == "sm2-sm3" else []


def as_theirs(algorithm: Algorithm, signature: bytes) -> bytes:
    if algorithm == "ed25519":
        return signature
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def as_ours(algorithm: Algorithm, signature: bytes) -> bytes:
    if algorithm == "ed25519":
        return signature
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def their_verdict(algorithm: Algorithm, public: Path, message: Path, signature: Path) -> bool:
    told = openssl(
        *("pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", message, "-sigfile", signature),
        *options(algorithm),
        fails=True,
    )
    return b"Verified Successfully" in told


@pytest.mark.usefixtures("has_sm2")
@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_openssl_verifies_what_we_sign_and_no_other_message(tmp_path: Path, algorithm: Algorithm, message: str) -> None:
    verifier = new_key(algorithm, tmp_path / "key")
    write_public_key(tmp_path / "pub", verifier)
    data = MESSAGES[message]
    (tmp_path / "message").write_bytes(data)
    (tmp_path / "other").write_bytes(data + b"!")
    signature = read_signer(tmp_path / "key").sign(data)
    (tmp_path / "signature").write_bytes(as_theirs(algorithm, signature))
    assert their_verdict(algorithm, tmp_path / "pub", tmp_path / "message", tmp_path / "signature")
    assert not their_verdict(algorithm, tmp_path / "pub", tmp_path / "other", tmp_path / "signature")


@pytest.mark.usefixtures("has_sm2")
@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_we_verify_what_openssl_signs_and_no_other_message(tmp_path: Path, algorithm: Algorithm, message: str) -> None:
    openssl("genpkey", "-algorithm", "SM2" if algorithm == "sm2-sm3" else "ED25519", "-out", tmp_path / "key")
    openssl("pkey", "-in", tmp_path / "key", "-pubout", "-out", tmp_path / "pub")
    data = MESSAGES[message]
    (tmp_path / "message").write_bytes(data)
    signed = openssl(
        "pkeyutl", "-sign", "-inkey", tmp_path / "key", "-rawin", "-in", tmp_path / "message", *options(algorithm)
    )
    verifier = read_verifier(tmp_path / "pub")
    assert verifier.algorithm == algorithm
    assert verifier.verifies(data, as_ours(algorithm, signed))
    assert not verifier.verifies(data + b"!", as_ours(algorithm, signed))


@pytest.mark.usefixtures("has_sm2")
def test_another_identity_signs_another_message(tmp_path: Path) -> None:
    openssl("genpkey", "-algorithm", "SM2", "-out", tmp_path / "key")
    openssl("pkey", "-in", tmp_path / "key", "-pubout", "-out", tmp_path / "pub")
    (tmp_path / "message").write_bytes(b"m")
    sign = ["pkeyutl", "-sign", "-inkey", tmp_path / "key", "-rawin", "-in", tmp_path / "message", "-digest", "sm3"]
    signed = openssl(*sign, "-pkeyopt", "distid:somebody else")
    assert not read_verifier(tmp_path / "pub").verifies(b"m", as_ours("sm2-sm3", signed))


@pytest.mark.usefixtures("has_sm2")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_files_are_openssls_own_to_the_byte(tmp_path: Path, algorithm: Algorithm) -> None:
    verifier = new_key(algorithm, tmp_path / "key")
    write_public_key(tmp_path / "pub", verifier)
    assert openssl("pkey", "-in", tmp_path / "key") == (tmp_path / "key").read_bytes()
    assert openssl("pkey", "-in", tmp_path / "key", "-pubout") == (tmp_path / "pub").read_bytes()
    openssl("pkey", "-in", tmp_path / "key", "-check", "-noout")
    theirs = tmp_path / "theirs"
    openssl("genpkey", "-algorithm", "SM2" if algorithm == "sm2-sm3" else "ED25519", "-out", theirs)
    theirs.chmod(0o600)
    made = read_signer(theirs)
    assert made.algorithm == algorithm
    assert verifier_of(algorithm, made.public_key).verifies(b"m", made.sign(b"m"))
