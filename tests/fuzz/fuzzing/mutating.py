"""Changes of bytes that know nothing of what the bytes mean; every format's own changes fall back to them."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

# What parsers have stumbled over: extremes of numbers, what is no number, odd text, brackets without end, long rows.
NUMBERS: Final = tuple(
    text.encode()
    for text in (
        *(
            "0",
            "-0",
            "1",
            "-1",
            "0.0",
            "-0.0",
            "1e-320",
            "1e308",
            "1e309",
            "-1e999",
            "0x10",
            "1_0",
            "00",
            "+1",
            ".5",
            "5.",
        ),
        *("127", "128", "255", "256", "32768", "65535", "65536", "2147483647", "2147483648", "-2147483649"),
        *("4294967295", "4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808"),
        *(
            "-9223372036854775809",
            "18446744073709551616",
            "1" + "0" * 30,
            "1" + "0" * 400,
            "9" * 5_000,
            "0." + "1" * 400,
        ),
        *("nan", "NaN", "inf", "Infinity", "-Infinity", "true", "null", "None", "1e5", "1E+2", "3.0000000000000001"),
    )
)
TEXTS: Final = (
    *(b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xe2\x80\xa8"),
    *("é".encode(), "汉".encode(), "\U0001f600".encode(), "\u202e".encode(), "\u0660".encode(), "ﬀ".encode()),
    *(b"\r", b"\n", b"\r\n", b"\t", b" ", b"%s%n", b"../", b"/", b"\\", b'"', b"'", b"#", b":", b",", b";", b"&", b"<"),
    *(b"[" * 3_000, b"{" * 3_000, b'{"a":' * 3_000, b"(" * 500, b"A" * 300, b"A" * 9_000, b"\n" * 500, b"[]" * 500),
    *(
        b"__proto__",
        b"constructor",
        b"*" * 100,
        b"PK\x03\x04",
        b"PAR1",
        b"\x1f\x8b",
        b"x\x9c",
        b"<!DOCTYPE a [",
        b"&b;",
    ),
)
_NUMBER: Final = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?")
_INTEGERS: Final = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**64 - 1,
)


def scratched(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Return the bytes after one to a few changes."""
    changed = bytearray(data)
    for _ in range(1 + int(random.expovariate(0.9))):
        random.choice(_CHANGES)(changed, random, others)
    return bytes(changed)


def value_bytes(random: Random) -> bytes:
    """Return a number or a text of the odd kind."""
    return random.choice(NUMBERS if random.random() < 0.6 else TEXTS)


def _span(data: bytearray, random: Random) -> tuple[int, int]:
    begin = random.randrange(len(data) + 1)
    longest = len(data) - begin if random.random() < 0.1 else min(len(data) - begin, 24)
    return begin, begin + random.randint(0, longest)


def _flip(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _insert(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    place = random.randrange(len(data) + 1)
    data[place:place] = value_bytes(random) if random.random() < 0.7 else random.randbytes(random.randint(1, 8))


def _delete(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    begin, end = _span(data, random)
    del data[begin:end]


def _double(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    begin, end = _span(data, random)
    data[end:end] = data[begin:end] * random.choice((1, 1, 1, 2, 50))


def _move(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    begin, end = _span(data, random)
    part = data[begin:end]
    del data[begin:end]
    place = random.randrange(len(data) + 1)
    data[place:place] = part


def _cut(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if random.random() < 0.5:
        del data[random.randrange(len(data) + 1) :]
    else:
        del data[: random.randrange(len(data) + 1)]


def _splice(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if others:
        other = bytearray(random.choice(others))
        begin, end = _span(other, random)
        place, until = _span(data, random)
        data[place:until] = other[begin:end]


def _number(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Another number in the place of one that is written in digits."""
    start = random.randrange(len(data) + 1)
    found = _NUMBER.search(data, start) or _NUMBER.search(data)
    if found:
        data[found.start() : found.end()] = random.choice(NUMBERS)


def _integer(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """An extreme in the place of a binary integer of either order."""
    form = random.choice(("<B", "<H", "<I", "<Q", ">H", ">I", ">Q"))
    size = struct.calcsize(form)
    if len(data) >= size:
        place = random.randrange(len(data) - size + 1)
        value = (random.choice(_INTEGERS) + random.randint(-1, 1)) % 2 ** (8 * size)
        struct.pack_into(form, data, place, value)


_CHANGES: Final[tuple[Callable[[bytearray, Random, Sequence[bytes]], None], ...]] = (
    *(_flip, _flip, _set, _set, _insert, _insert, _delete, _delete, _double, _move, _cut, _splice, _number, _number),
    _integer,
)
