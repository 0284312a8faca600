"""Changes of texts that know their grammar: JSON trees. What is none is scratched."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from math import isfinite
from random import Random
from typing import Any, Final

from fuzzing.mutating import NUMBERS, scratched

# Stands in a tree for a text that `json` would not write.
_RAW: Final = re.compile(r'"@raw:([0-9]+)@"')
_RAWS: Final = (
    *(number.decode() for number in NUMBERS),
    "[" * 2_000,
    '{"a":1,"a":2}',
    "'a'",
    "",
    "1 1",
    '"\\ud800"',
    '"\\u0000"',
)
_PLAIN: Final = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2**31,
        2**53,
        2**63,
        10**30,
        0.0,
        -0.0,
        0.5,
        1e308,
        5e-324,
        "",
        " ",
        "a",
        "0",
        "\x00",
    ),
    *("é", "汉字", "\u2028", "../a", "A" * 300, [], {}, [[]], [None], {"": None}, [0] * 70, "2026-03-17T02:00:00Z"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1970-01-01T00:00:00+00:00", "a" * 64, "0" * 64),
)
_NODES_MAX: Final = 20_000


def changed_json(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change a JSON text's tree; now and then its text."""
    if random.random() < 0.12:
        return scratched(data, random, others)
    try:
        return written_json(changed_tree(json.loads(data), random, others), random)
    except (ValueError, RecursionError, OverflowError):  # no JSON, or what is too deep or too large to be written
        return scratched(data, random, others)


def written_json(tree: Any, random: Random | None = None, **how: Any) -> bytes:
    """Write a tree, compact but for now and then, raw texts in their places."""
    if random is not None and random.random() < 0.05:
        how = {"indent": 1}
    text = json.dumps(tree, **({"separators": (",", ":"), "ensure_ascii": False} | how))
    return _RAW.sub(lambda found: _RAWS[int(found[1]) % len(_RAWS)], text).encode("utf-8", "surrogatepass")


def changed_tree(tree: Any, random: Random, others: Sequence[bytes] = ()) -> Any:
    """Return a tree with one to a few changes; it may be changed itself."""
    for _ in range(1 + int(random.expovariate(1.2))):
        places = _places(tree)
        if not places:
            return _value(random)
        parent, key = places[random.randrange(len(places))]
        tree = _change(tree, parent, key, random, others, places)
    return tree


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every value of a tree by what holds it and the key there."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting and len(found) < _NODES_MAX:
        node = waiting.pop()
        inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in inner:
            found.append((node, key))
            if isinstance(value, (dict, list)):
                waiting.append(value)
    return found


def _value(random: Random) -> Any:
    if random.random() < 0.3:
        return f"@raw:{random.randrange(len(_RAWS))}@"
    return copy.deepcopy(random.choice(_PLAIN))


def _change(tree: Any, parent: Any, key: Any, random: Random, others: Sequence[bytes], places: list[Any]) -> Any:
    value = parent[key]
    match random.randrange(12):
        case 0 | 1:
            parent[key] = _value(random)
        case 2:
            parent[key] = _near(value, random)
        case 3:
            del parent[key]
        case 4 if isinstance(parent, list):
            parent[key:key] = [copy.deepcopy(value)] * random.choice((1, 1, 2, 70))
        case 4 | 5 if isinstance(parent, dict):
            parent[random.choice(("", "x", "schema_version", str(key).upper(), f"{key} ", "é"))] = value
        case 6:
            other, place = places[random.randrange(len(places))]
            parent[key] = copy.deepcopy(other[place])
        case 7:
            parent[key] = [value] if random.random() < 0.5 else {"a": value}
        case 8 if isinstance(parent, list):
            random.shuffle(parent)
        case 9 if others:
            try:
                found = _places(json.loads(random.choice(others)))
            except (ValueError, RecursionError):
                found = []
            if found:
                other, place = found[random.randrange(len(found))]
                parent[key] = other[place]
        case _:
            parent[key] = _near(value, random)
    return tree


def _near(value: Any, random: Random) -> Any:  # noqa: PLR0911 - a kind each
    """Something of the same kind: such a value gets further."""
    match value:
        case bool():
            return not value
        case int():
            near = (value + 1, value - 1, -value, value * 2, 0, 2**31 - 1, 2**53, 2**63, value * 10**9, float(value))
            return random.choice(near)
        case float():
            return random.choice(
                (value * 2, -value, value / 3, 0.0, 1.0, 1e300, 5e-324, float(int(value)) if isfinite(value) else 0)
            )
        case str():
            text = bytearray(value.encode("utf-8", "replace"))
            return scratched(bytes(text), random).decode(
                "utf-8", "replace" if random.random() < 0.9 else "surrogateescape"
            )
        case list() if value:
            part = value[: random.randrange(len(value) + 1)]
            return part + part if random.random() < 0.2 else part
        case dict() if value:
            return dict(random.sample(list(value.items()), random.randint(0, len(value))))
    return _value(random)
