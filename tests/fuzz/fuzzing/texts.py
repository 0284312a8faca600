"""Changes of texts that know their grammar: lines and fields, TOML, XML. What is no such text is scratched."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from fuzzing.mutating import NUMBERS, scratched, value_bytes


def changed_lines(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change whole lines, or fields of one: what blanks, colons, equals signs and commas part."""
    if random.random() < 0.25:
        return scratched(data, random, others)
    lines = data.splitlines(keepends=True) or [b""]
    for _ in range(1 + int(random.expovariate(1.2))):
        place = random.randrange(len(lines)) if lines else 0
        match random.randrange(8):
            case 0 if lines:
                del lines[place]
            case 1 if lines:
                lines[place:place] = [lines[place]] * random.choice((1, 1, 1, 3, 100))
            case 2 if lines:
                other = random.randrange(len(lines))
                lines[place], lines[other] = lines[other], lines[place]
            case 3 if others:
                found = random.choice(others).splitlines(keepends=True)
                begin = random.randrange(len(found) + 1)
                lines[place:place] = found[begin : begin + random.randint(1, 6)]
            case 4 if lines:
                lines[place] = scratched(lines[place], random, others)
            case _ if lines:
                lines[place] = _field(lines[place], random)
    return b"".join(lines)


_FIELDS: Final = re.compile(rb'("(?:[^"\\\n]|\\.)*"|[^\s=,:;"{}\[\]]+)')


def _field(line: bytes, random: Random) -> bytes:
    parts = _FIELDS.split(line)
    if len(parts) < 2:
        return line + value_bytes(random)
    place = 1 + 2 * random.randrange(len(parts) // 2)
    old = parts[place]
    value = value_bytes(random)
    if old.startswith(b'"') and random.random() < 0.7:
        value = b'"' + scratched(old[1:-1], random).replace(b'"', b"") + b'"'
    parts[place] = random.choice((value, value, old + value, value + old, b'"' + value + b'"', old * 2))
    return b"".join(parts)


_TOML_VALUES: Final = (
    *(
        b"true",
        b"[]",
        b"{}",
        b'""',
        b"''",
        b'"a"',
        b"[[]]",
        b"{a = 1}",
        b"nan",
        b"-inf",
        b"+inf",
        b"0x7f",
        b"0o7",
        b"1_000",
    ),
    *(b"1979-05-27", b"07:32:00", b"1979-05-27T07:32:00Z", b"0000-00-00", b"9999-12-31T23:59:59.999999999-23:59"),
    *(
        b'"\\u0000"',
        b'"\\ud800"',
        b'"""a\nb"""',
        b"[1, 'a']",
        b"[" * 1_500,
        b"{a=" * 1_500,
        b"a." * 1_500,
        b"9" * 5_000,
    ),
    *(
        b"[" * 400 + b"]" * 400,
        b'["a", "b"]',
        b"[0, 1]",
        b"[[1, 2], [3, 4]]",
        b'"../toy.toml"',
        b'"toy"',
        b"1e400",
        b"-1",
    ),
)
_TOML_VALUE: Final = re.compile(rb"(?<== )[^\n#]+")


def changed_toml(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change values of keys for values of TOML; or lines and blocks of it."""
    if random.random() < 0.4:
        return changed_lines(data, random, others)
    for _ in range(1 + int(random.expovariate(1.5))):
        found = list(_TOML_VALUE.finditer(data))
        if not found:
            return changed_lines(data, random, others)
        one = random.choice(found)
        value = random.choice(NUMBERS) if random.random() < 0.4 else random.choice(_TOML_VALUES)
        if random.random() < 0.35:
            value = _field(one.group(), random)
        data = data[: one.start()] + value + data[one.end() :]
    return data


def toml_of(tables: dict[str, Any], path: str = "") -> bytes:
    """Write tables as TOML: a key a line, tables under their names."""
    plain, nested = [], []
    for key, value in tables.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            nested.append(f"[{here}]\n".encode() + toml_of(value, here))
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            nested += [f"[[{here}]]\n".encode() + toml_of(one, here) for one in value]
        else:
            plain.append(f"{key} = {json.dumps(value, ensure_ascii=False)}\n".encode())
    return b"".join([*plain, *nested])


_XML: Final = re.compile(rb"(<[^>]*>)")
_ATTRIBUTE: Final = re.compile(rb'="[^"]*"')
_HEADS: Final = (
    b'<!DOCTYPE a [<!ENTITY b "c">]>',
    b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>',
    b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>',
    b'<?xml version="1.0" encoding="utf-16"?>',
    b'<?xml version="1.0" encoding="nonsense"?>',
    b'<?xml version="1.0" encoding="utf-7"?>',
    b"<!-- -->",
    b"<![CDATA[ ]]>",
    b"<?pi ?>",
)


def changed_xml(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change elements, attributes and texts of an XML document."""
    if random.random() < 0.2:
        return scratched(data, random, others)
    parts = _XML.split(data)
    for _ in range(1 + int(random.expovariate(1.2))):
        place = random.randrange(len(parts)) if parts else 0
        match random.randrange(9):
            case 0 if len(parts) > 3:
                begin = place
                del parts[begin : begin + random.randint(1, 8)]
            case 1 if len(parts) > 3:
                parts[place:place] = parts[place : place + random.randint(1, 24)] * random.choice((1, 1, 2, 20))
            case 2:
                parts.insert(place, random.choice(_HEADS))
            case 3:
                name = random.choice((b"<network>", b"<domain>", b"<links>", b"<a xmlns='x:y'>", b"<node id='n'>"))
                parts.insert(place, name * random.choice((1, 1, 600)))
            case 4 if others:
                other = _XML.split(random.choice(others))
                begin = random.randrange(len(other))
                parts[place:place] = other[begin : begin + random.randint(1, 12)]
            case 5:
                parts[place] = scratched(parts[place], random)
            case _:
                texts = [k for k, part in enumerate(parts) if part.strip() and not part.startswith(b"<")]
                tags = [k for k, part in enumerate(parts) if b'="' in part]
                if texts and (random.random() < 0.7 or not tags):
                    parts[random.choice(texts)] = value_bytes(random)
                elif tags:
                    one = random.choice(tags)
                    wanted = b'="' + value_bytes(random).replace(b'"', b"").replace(b"\\", b"") + b'"'
                    parts[one] = _ATTRIBUTE.sub(wanted, parts[one], count=random.choice((0, 1)))
    return b"".join(parts)
