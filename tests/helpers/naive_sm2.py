"""SM2 signatures by the letter of GB/T 32918.2, in whole numbers: slow, plain, and good for a comparison only."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SM3, Hash

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
Point = tuple[int, int] | None


def add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if one == other else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(factor: int, point: Point) -> Point:
    result: Point = None
    for bit in bin(factor)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


def sm3(data: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def public_of(private: int) -> bytes:
    x, y = times(private, G) or (0, 0)
    return number(x) + number(y)


def za(public_key: bytes, signer_id: bytes = b"1234567812345678") -> bytes:
    bits = (8 * len(signer_id)).to_bytes(2, "big")
    return sm3(bits + signer_id + number(A) + number(B) + number(G[0]) + number(G[1]) + public_key)


def digest(public_key: bytes, message: bytes, signer_id: bytes = b"1234567812345678") -> int:
    return int.from_bytes(sm3(za(public_key, signer_id) + message), "big")


def sign(private: int, message: bytes, k: int) -> bytes:
    """With the k that is drawn in earnest."""
    x, _ = times(k, G) or (0, 0)
    r = (digest(public_of(private), message) + x) % N
    s = pow(1 + private, -1, N) * (k - r * private) % N
    assert r
    assert r + k != N
    assert s
    return number(r) + number(s)


def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (1 <= r < N and 1 <= s < N) or (r + s) % N == 0:
        return False
    key = int.from_bytes(public_key[:32], "big"), int.from_bytes(public_key[32:], "big")
    x, _ = add(times(s, G), times((r + s) % N, key)) or (0, 0)
    return (digest(public_key, message) + x) % N == r
