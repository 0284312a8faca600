"""The words in which a change of a scenario is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from router_core.errors import BadInputError

FACTOR_MAX: Final = 1_000
MORE_MAX: Final = 10_000
CHANGES_MAX: Final = 100

_FORM: Final = "must read WHAT xFACTOR or WHAT +NUMBER, such as 'demand x1.2', 'counties +3', 'lines:province_city x2'"
_SHAPE: Final = re.compile(r"([a-z-]+)(?::(\S(?:.*\S)?))?\s+([x+])(\d{1,9}(?:\.\d{1,9})?)", re.ASCII)


@dataclass(frozen=True)
class _Kind:
    """What may be said of one word: whether a place follows it, by which signs it changes, and the least factor."""

    place: bool | None  # None: may be there
    signs: str
    least: Fraction
    above: bool = False  # the least factor itself is none


_KINDS: Final = {
    "demand": _Kind(None, "x", Fraction(0), above=True),
    "front-ends": _Kind(False, "x+", Fraction(1)),
    "counties": _Kind(False, "+", Fraction(0)),
    "lines": _Kind(None, "x", Fraction(0), above=True),
    "others": _Kind(False, "x", Fraction(0), above=True),
    "servers": _Kind(None, "x+", Fraction(0), above=True),
    "pool": _Kind(True, "x+", Fraction(0)),
    "pools": _Kind(False, "x+", Fraction(0)),
}


@dataclass(frozen=True)
class Change:
    """One change, read.

    Attributes
    ----------
    what : str
        ``demand``, ``front-ends``, ``counties``, ``lines``, ``others``,
        ``servers``, ``pool`` or ``pools``.
    place : str or None
        What follows the colon.
    factor : Fraction or None
    more : int or None
        One of the two is given.
    text : str
        As it was given, with single blanks.
    """

    what: str
    place: str | None
    factor: Fraction | None
    more: int | None
    text: str

    def refused(self, rule: str, value: object = None) -> BadInputError:
        """Return the error that says why this change cannot be made here."""
        return BadInputError(f"change '{self.text}'", rule, self.text if value is None else value)

    def of(self, value: Fraction) -> Fraction:
        """Return what becomes of a value."""
        if self.factor is not None:
            return value * self.factor
        assert self.more is not None
        return value + self.more


def parse_change(text: str) -> Change:
    """Read a change such as ``lines:province_city x2``.

    Raises
    ------
    BadInputError
        If it does not read as a change, or its number is out of range.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise BadInputError("change", _FORM, text)
    what, place, sign, number = found.groups()
    shown = re.sub(r"\s+", " ", text.strip())
    change = Change(what, place, None, None, shown)
    kind = _KINDS.get(what)
    if kind is None:
        raise change.refused(f"must change one of {', '.join(_KINDS)}", what)
    if kind.place is False and place is not None:
        raise change.refused(f"{what} are changed everywhere: nothing follows a colon", place)
    if kind.place and place is None:
        raise change.refused(f"must say which one: {what}:NAME")
    if sign not in kind.signs:
        ways = {"x": "a factor (x1.5)", "+": "a number of new ones (+3)"}
        raise change.refused(f"{what} are changed by {' or '.join(ways[one] for one in kind.signs)}", sign + number)
    if sign == "+":
        if "." in number or not 0 <= int(number) <= MORE_MAX:
            raise change.refused(f"must be a whole number in 0..{MORE_MAX}", number)
        return Change(what, place, None, int(number), shown)
    factor = Fraction(number)
    if factor < kind.least or (kind.above and factor == kind.least) or factor > FACTOR_MAX:
        low = f"above {kind.least}" if kind.above else f"at least {kind.least}"
        raise change.refused(f"the factor must be {low} and at most {FACTOR_MAX}", number)
    return Change(what, place, factor, None, shown)
