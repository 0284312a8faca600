"""Draws for people: whole numbers, chances, choices and names from one random stream."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import TypeVar

import numpy as np

from router_core.randomness import stream

T = TypeVar("T")
# What stands for a place, by style; the odd ones have blanks and all that looks like syntax elsewhere.
STYLES = ("plain", "chinese", "odd")
_CHINESE = ("赣", "饶", "吉", "抚", "宜", "萍", "鹰", "余")
_ODD = ("Ä & Co", "50% #", "o'x", 'the "new"', "a.b:c", "甲 @", "[x]={y}", "-–;,", "ß?", "Node", "node", "λ +")
_WORDS = {
    "site": "市",
    "router": "路由器",
    "unit": "局",
    "front": "前置机",
    "crossing": "跨网交换",
    "gateway": "网关",
    "nation": "国家平台",
    "pool": "云",
    "resource": "资源",
    "system": "系统",
    "curve": "曲线",
    "type": "类型",
}


class Draw:
    """A stream of random numbers, in the types that documents are made of.

    Parameters
    ----------
    seed : int
    name : str
        Of the stream.
    """

    def __init__(self, seed: int, name: str) -> None:
        self.random: np.random.Generator = stream(seed, name)

    def chance(self, probability: float) -> bool:
        """Say yes now and then."""
        return bool(self.random.random() < probability)

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return int(self.random.integers(low, high + 1))

    def between(self, low: float, high: float, digits: int = 3) -> float:
        """Return a number, rounded."""
        return round(float(self.random.uniform(low, high)), digits)

    def scale(self, low: float, high: float, digits: int = 3) -> float:
        """Return a number any order of magnitude of which is as likely, rounded."""
        return round(exp(float(self.random.uniform(log(low), log(high)))), digits)

    def of(self, values: Sequence[T]) -> T:
        """Return one of several."""
        return values[int(self.random.integers(len(values)))]

    def some(self, values: Sequence[T], low: int, high: int) -> list[T]:
        """Return between `low` and `high` of several, as far as there are so many, in their order."""
        count = min(self.whole(low, high), len(values))
        return [values[place] for place in sorted(self.random.permutation(len(values))[:count].tolist())]


class Names:
    """Names of one style, each of them once.

    Parameters
    ----------
    draw : Draw
    style : str
        One of `STYLES`.
    """

    def __init__(self, draw: Draw, style: str) -> None:
        self._style = style
        self._prefixes = draw.random.permutation(len(_ODD if style == "odd" else _CHINESE)).tolist()
        self._count: dict[str, int] = {}

    def new(self, word: str, of: str = "") -> str:
        """Return the next name of a kind; `of` is the name of what it belongs to."""
        number = self._count[word] = self._count.get(word, 0) + 1
        prefix = self._prefixes[(number - 1) % len(self._prefixes)]
        if self._style == "chinese":
            return f"{of or _CHINESE[prefix]}{_WORDS[word]}{number}"
        if self._style == "odd":
            return f"{_ODD[prefix]} {word} {number}"
        return f"{of}-{word}-{number}" if of else f"{word}-{number}"
