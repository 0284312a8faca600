"""Digests and signatures against the standards' own examples, and against a plain SM2."""

from __future__ import annotations

import random

import naive_sm2
import pytest
from feed_signing import ed25519_signer, private_of, signer, sm2_signer

from feed.signing.digests import key_id_of, sha256_hex, sm3_hex
from feed.signing.ed25519 import Ed25519Signer, Ed25519Verifier
from feed.signing.sm2 import ORDER, Sm2Signer, Sm2Verifier
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError

# GB/T 32918.5 / GM/T 0003.5, appendix A: curve sm2p256v1, identity 1234567812345678.
SM2_PRIVATE = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
SM2_PUBLIC = bytes.fromhex(
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
SM2_MESSAGE = b"message digest"
SM2_ZA = bytes.fromhex("B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3")
SM2_E = 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
SM2_K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
SM2_SIGNATURE = bytes.fromhex(
    "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
    "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)

# RFC 8032, 7.1: seed, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
        "55141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
        "00d291612bb0c00",
    ),
]


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
    ids=["abc", "64-bytes"],
)
def test_sm3_is_that_of_gb_t_32905(message: bytes, digest: str) -> None:
    assert sm3_hex(message) == digest


def test_sha256_is_that_of_fips_180() -> None:
    assert sha256_hex(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_keys_name_is_the_digest_of_algorithm_and_key() -> None:
    assert key_id_of("ed25519", b"key") == sha256_hex(b"ed25519\x00key")
    assert key_id_of("sm2-sm3", b"key") != key_id_of("ed25519", b"key")


def test_the_signature_of_gb_t_32918_verifies_and_its_steps_are_the_published_ones() -> None:
    verifier = Sm2Verifier(SM2_PUBLIC)
    assert verifier.verifies(SM2_MESSAGE, SM2_SIGNATURE)
    assert naive_sm2.public_of(int.from_bytes(SM2_PRIVATE, "big")) == SM2_PUBLIC
    assert naive_sm2.za(SM2_PUBLIC) == SM2_ZA
    assert naive_sm2.digest(SM2_PUBLIC, SM2_MESSAGE) == SM2_E
    assert naive_sm2.sign(int.from_bytes(SM2_PRIVATE, "big"), SM2_MESSAGE, SM2_K) == SM2_SIGNATURE
    made = Sm2Signer(SM2_PRIVATE, SM2_PUBLIC).sign(SM2_MESSAGE)
    assert verifier.verifies(SM2_MESSAGE, made)
    assert naive_sm2.verifies(SM2_PUBLIC, SM2_MESSAGE, made)
    assert made != SM2_SIGNATURE


@pytest.mark.parametrize("seed", range(4))
def test_sm2_agrees_with_the_plain_one_both_ways(seed: int) -> None:
    draw = random.Random(seed)
    private = draw.randrange(1, ORDER - 1)
    public = naive_sm2.public_of(private)
    message = draw.randbytes(draw.choice([0, 1, 31, 32, 33, 64, 1_000]))
    ours = Sm2Signer(private.to_bytes(32, "big"), public)
    assert naive_sm2.verifies(public, message, ours.sign(message))
    theirs = naive_sm2.sign(private, message, draw.randrange(1, ORDER))
    assert Sm2Verifier(public).verifies(message, theirs)
    assert not Sm2Verifier(public).verifies(message + b"!", theirs)


@pytest.mark.parametrize("private", [1, ORDER - 2], ids=["smallest", "largest"])
def test_sm2_keys_at_the_ends_of_their_range_sign(private: int) -> None:
    made = Sm2Signer(private.to_bytes(32, "big"), naive_sm2.public_of(private))
    assert verifier_of("sm2-sm3", made.public_key).verifies(b"m", made.sign(b"m"))


@pytest.mark.parametrize("private", [0, ORDER - 1, ORDER, 2**256 - 1], ids=["0", "n-1", "n", "all-bits"])
def test_sm2_keys_out_of_range_are_refused(private: int) -> None:
    with pytest.raises(BadInputError, match="from 1 to n - 2"):
        Sm2Signer(private.to_bytes(32, "big"), SM2_PUBLIC)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032, ids=["test-1", "test-2"])
def test_ed25519_is_that_of_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    made = Ed25519Signer(bytes.fromhex(seed))
    assert made.public_key.hex() == public
    assert made.sign(bytes.fromhex(message)).hex() == signature
    assert Ed25519Verifier(made.public_key).verifies(bytes.fromhex(message), bytes.fromhex(signature))


@pytest.mark.parametrize("seed", [0, 1], ids=["sm2-sm3", "ed25519"])
def test_one_flipped_bit_of_message_or_signature_and_it_fails(seed: int) -> None:
    made, message = signer(seed), b"sixteen bytes..."
    verifier = verifier_of(made.algorithm, made.public_key)
    signature = made.sign(message)
    assert verifier.verifies(message, signature)
    for bit in range(8 * len(signature)):
        assert not verifier.verifies(message, flipped(signature, bit)), bit
    for bit in range(8 * len(message)):
        assert not verifier.verifies(flipped(message, bit), signature), bit


@pytest.mark.parametrize("seed", [0, 1], ids=["sm2-sm3", "ed25519"])
def test_one_flipped_bit_of_the_key_and_it_is_none_or_verifies_nothing(seed: int) -> None:
    made, message = signer(seed), b"message"
    signature = made.sign(message)
    for bit in range(8 * len(made.public_key)):
        try:
            verifier = verifier_of(made.algorithm, flipped(made.public_key, bit))
        except BadInputError:
            continue
        assert not verifier.verifies(message, signature), bit
        assert verifier.key_id != made.key_id


@pytest.mark.parametrize("seed", [0, 1], ids=["sm2-sm3", "ed25519"])
@pytest.mark.parametrize("length", [0, 1, 63, 65, 72, 5_000])
def test_what_is_no_signature_verifies_nothing(seed: int, length: int) -> None:
    made = signer(seed)
    signature = (made.sign(b"m") + bytes(length))[:length]
    assert not verifier_of(made.algorithm, made.public_key).verifies(b"m", signature)


def test_sm2_numbers_out_of_range_verify_nothing() -> None:
    made = sm2_signer(0)
    signature = made.sign(b"m")
    verifier = verifier_of("sm2-sm3", made.public_key)
    for value in (0, ORDER, int.from_bytes(signature[:32], "big") + ORDER):
        if value < 2**256:
            assert not verifier.verifies(b"m", value.to_bytes(32, "big") + signature[32:])
            assert not verifier.verifies(b"m", signature[:32] + value.to_bytes(32, "big"))


@pytest.mark.parametrize("public", [b"", SM2_PUBLIC[:63], b"\x04" + SM2_PUBLIC, bytes(64), SM2_PUBLIC[:63] + b"\0"])
def test_what_is_no_point_is_no_sm2_key(public: bytes) -> None:
    with pytest.raises(BadInputError, match="sm2p256v1"):
        Sm2Verifier(public)


def test_a_pair_that_is_none_is_refused() -> None:
    with pytest.raises(BadInputError, match="must belong to the public key"):
        Sm2Signer(private_of(0), sm2_signer(2).public_key)


def edwards_sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    p, (x1, y1), (x2, y2) = 2**255 - 19, one, other
    turn = -121665 * pow(121666, -1, p) * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + turn, -1, p) % p, (y1 * y2 + x1 * x2) * pow(1 - turn, -1, p) % p


def points_of_small_order() -> set[tuple[int, int]]:
    """All multiples of [L]Q, for a Q whose order is 8 L."""
    p, order = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
    best: set[tuple[int, int]] = set()
    y = 1
    while len(best) < 8:
        y += 1
        square = (y * y - 1) * pow(-121665 * pow(121666, -1, p) * y * y + 1, -1, p) % p
        x = pow(square, (p + 3) // 8, p)
        x = x if x * x % p == square else x * pow(2, (p - 1) // 4, p) % p
        if x * x % p != square:
            continue
        torsion, power = (0, 1), (x, y)
        for bit in bin(order)[:1:-1]:
            torsion = edwards_sum(torsion, power) if bit == "1" else torsion
            power = edwards_sum(power, power)
        found, step = {(0, 1)}, torsion
        while step != (0, 1):
            found.add(step)
            step = edwards_sum(step, torsion)
        best = max(best, found, key=len)
    return best


def test_ed25519_keys_of_small_order_are_refused() -> None:
    points = points_of_small_order()
    assert len(points) == 8
    for x, y in points:
        public = (y | (x & 1) << 255).to_bytes(32, "little")
        with pytest.raises(BadInputError, match="small order"):
            Ed25519Verifier(public)


@pytest.mark.parametrize("y", [2**255 - 19, 2**255 - 18, 2**255 - 1])
def test_ed25519_keys_have_one_form(y: int) -> None:
    with pytest.raises(BadInputError, match="must be 32 bytes"):
        Ed25519Verifier(y.to_bytes(32, "little"))


def test_signers_tell_their_name_alone() -> None:
    for made in (sm2_signer(0), ed25519_signer(1)):
        assert repr(made) == f"{type(made).__name__}({made.key_id})"
        verifier = verifier_of(made.algorithm, made.public_key)
        assert (verifier.key_id, verifier.algorithm) == (made.key_id, made.algorithm)
        assert verifier.public_key == made.public_key
