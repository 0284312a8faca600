"""How a platform is asked to grow: so much a year, in the words of a command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from router_core.errors import BadInputError

DAYS_A_YEAR: Final = 365.25
YEARS_MAX: Final = 20
RATE_MIN, RATE_MAX = -0.9, 10.0
OTHERS: Final = "others"
_SHAPE: Final = re.compile(r"([a-z-]+)(?::([^=\s]+))?=([+-]?\d{1,6}(?:\.\d{1,6})?)(%?)(?:/year)?", re.ASCII)
_FORM: Final = "must read WHAT=RATE%, such as demand=25%, demand:TYPE=10%, others=10%, counties=3, front-ends=10%"


@dataclass(frozen=True)
class Growth:
    """Growth by the year, from the start on.

    Demand and other users grow day by day at a steady rate; what is built (counties, front-ends) comes at the beginning
    of each further year.

    Attributes
    ----------
    demand : float
        Of all demand, as a share by the year; 0.25 is 25 %.
    types : dict of str to float
        Further growth of single types, beside it.
    others : float
        Of what other users take of the lines.
    counties, front_ends : int
        New ones a year.
    front_end_rate : float
        New front-ends a year, as a share of those of the year before; 0 or `front_ends` is 0.
    """

    demand: float = 0.0
    types: dict[str, float] = field(default_factory=dict)
    others: float = 0.0
    counties: int = 0
    front_ends: int = 0
    front_end_rate: float = 0.0

    def changes(self, year: int) -> tuple[str, ...]:
        """Return what is built by the beginning of a year, 0 the first, as changes of the scenario."""
        made = []
        if self.counties and year:
            made.append(f"counties +{self.counties * year}")
        if self.front_ends and year:
            made.append(f"front-ends +{self.front_ends * year}")
        if self.front_end_rate and year:
            made.append(f"front-ends x{(1 + self.front_end_rate) ** year:.6f}")
        return tuple(made)

    @property
    def builds(self) -> bool:
        """Whether the network itself grows."""
        return bool(self.counties or self.front_ends or self.front_end_rate)

    def factor(self, kind: str, days: float) -> float:
        """Return the factor on the demand of a type so many days after the start."""
        years = days / DAYS_A_YEAR
        return float((1 + self.demand) ** years * (1 + self.types.get(kind, 0.0)) ** years)

    def others_factor(self, days: float) -> float:
        """Return the factor on other users' share of lines."""
        return float((1 + self.others) ** (days / DAYS_A_YEAR))


def parse_growth(texts: list[str], kinds: tuple[str, ...]) -> Growth:
    """Read growth such as ``demand=25%`` and ``counties=3``, each by the year; each is said at most once.

    Parameters
    ----------
    texts : list of str
    kinds : tuple of str
        Names of the scenario's types of demand.

    Raises
    ------
    BadInputError
    """
    said: dict[str, float] = {}
    types: dict[str, float] = {}
    for text in texts:
        found = _SHAPE.fullmatch(text.strip())
        if found is None:
            raise BadInputError("--growth", _FORM, text)
        what, kind, number, percent = found.groups()
        value = float(number)
        name = f"{what}%" if percent and what == "front-ends" else what
        shares = what in ("demand", OTHERS) or name == "front-ends%"
        if what not in ("demand", OTHERS, "counties", "front-ends"):
            raise BadInputError("--growth", "must be of demand, others, counties or front-ends", what)
        if kind is not None and (what != "demand" or kind not in kinds):
            raise BadInputError("--growth", f"must name one of the types of demand {', '.join(kinds)}", kind)
        if shares != bool(percent):
            rule = "must be a share by the year, such as 25%" if shares else "must be a whole number a year, such as 3"
            raise BadInputError("--growth", rule, text)
        if not percent and (value != int(value) or value < 0):
            raise BadInputError("--growth", "must be a whole number a year, 0 or more", number)
        low = 0.0 if name == "front-ends%" else RATE_MIN
        if percent and not low <= value / 100 <= RATE_MAX:
            raise BadInputError("--growth", f"must lie in {100 * low:g}%..{100 * RATE_MAX:g}%", text)
        value = value / 100 if percent else value
        place: dict[str, float] = types if kind is not None else said
        key = kind or name
        if key in place or (what == "front-ends" and any(one.startswith("front-ends") for one in said)):
            raise BadInputError("--growth", "must be given once for one thing", text)
        place[key] = value
    return Growth(
        demand=said.get("demand", 0.0),
        types=types,
        others=said.get(OTHERS, 0.0),
        counties=int(said.get("counties", 0)),
        front_ends=int(said.get("front-ends", 0)),
        front_end_rate=said.get("front-ends%", 0.0),
    )


def anniversary(start: date, years: int) -> date:
    """Return the same day so many years later; 28 February for a leap day."""
    try:
        return start.replace(year=start.year + years)
    except ValueError:
        return start.replace(year=start.year + years, day=28)
