"""What upgrades cost: a price list, in units of cost that the reader chooses."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from router_core.errors import BadInputError
from scenarios.reading import key_path

# Beyond the list every class has twice the rate of the one before and costs so much more.
CLASS_FACTOR: Final = 1.6
CLASSES_BEYOND: Final = 6
PRICE_MAX: Final = 1e12
SERVERS: Final = ("province", "city", "county", "front_end", "other", "pool")


@dataclass(frozen=True)
class PriceList:
    """Prices in units of cost; by default one unit is a tenth of a leased 100 Mbit/s circuit, and all are assumed.

    Attributes
    ----------
    rates_mbps : tuple of float
        Classes in which lines are sold, ascending.
    lines : tuple of float
        Price of a line of each class, ascending: a step costs the difference.
    step : float
        Of changing a line at all.
    servers : dict of str to float
        Of one server more for processing at a centre of each level (`province`, `city`, `county`), at a front-end, at
        any other node, and in a cloud's pool.
    """

    rates_mbps: tuple[float, ...] = (100.0, 155.0, 622.0, 1_000.0, 2_500.0, 10_000.0)
    lines: tuple[float, ...] = (10.0, 14.0, 40.0, 55.0, 110.0, 300.0)
    step: float = 2.0
    servers: dict[str, float] = field(
        default_factory=lambda: {
            "province": 12.0,
            "city": 8.0,
            "county": 6.0,
            "front_end": 4.0,
            "other": 10.0,
            "pool": 3.0,
        }
    )

    def classes(self, rate_mbps: float, most: int = 4) -> list[tuple[float, float]]:
        """Return the next classes above a rate, and what going there costs, cheapest first."""
        rates, prices = list(self.rates_mbps), list(self.lines)
        for _ in range(CLASSES_BEYOND):
            rates.append(2 * rates[-1])
            prices.append(CLASS_FACTOR * prices[-1])
        now = float(np.interp(rate_mbps, [0.0, *rates], [0.0, *prices]))
        above = [(rate, price - now + self.step) for rate, price in zip(rates, prices, strict=True)]
        return [(rate, cost) for rate, cost in above if rate > rate_mbps * (1 + 1e-3)][:most]


def read_prices(path: Path) -> PriceList:
    """Read a price list from a TOML file; what it does not say has its default.

    Raises
    ------
    BadInputError
        Naming file, key, rule and value.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError("file", "must be a price list that can be read", error.strerror, str(path)) from None
    except (ValueError, RecursionError) as error:
        raise BadInputError("file", f"must be valid TOML: {error}", path.name, str(path)) from None
    try:
        return _of(data)
    except BadInputError as error:
        raise error.within(str(path)) from None


def _of(data: dict[str, Any]) -> PriceList:
    default = PriceList()
    for key in data:
        if key not in ("lines", "servers"):
            raise BadInputError(key_path((key,)), "must be one of lines, servers", key)
    lines, servers = _table(data, "lines"), _table(data, "servers")
    for place, table, known in (("lines", lines, ("rates_mbps", "prices", "step")), ("servers", servers, SERVERS)):
        for key in table:
            if key not in known:
                raise BadInputError(f"{place}.{key}", f"must be one of {', '.join(known)}", key)
    rates = _rising("lines.rates_mbps", lines.get("rates_mbps", list(default.rates_mbps)))
    prices = _rising("lines.prices", lines.get("prices", list(default.lines)))
    if len(rates) != len(prices):
        raise BadInputError("lines.prices", f"must be as many as rates_mbps, {len(rates)}", len(prices))
    step = _price("lines.step", lines.get("step", default.step))
    return PriceList(
        rates,
        prices,
        step,
        {name: _price(f"servers.{name}", servers.get(name, default.servers[name])) for name in SERVERS},
    )


def _table(data: dict[str, Any], key: str) -> dict[str, Any]:
    table = data.get(key, {})
    if not isinstance(table, dict):
        raise BadInputError(key, "must be a table", table)
    return table


def _price(place: str, value: object, *, above: bool = False) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared as it came: a whole number may be too large for a float.
    if not good or not (0 <= value <= PRICE_MAX) or (above and value == 0):  # type: ignore[operator]
        raise BadInputError(place, f"must be a number {'above 0' if above else 'of at least 0'}", value)
    return float(value)  # type: ignore[arg-type]


def _rising(place: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise BadInputError(place, "must be a row of numbers", value)
    numbers = tuple(_price(f"{place}[{index}]", one, above=True) for index, one in enumerate(value))
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise BadInputError(place, "must rise", value)
    return numbers
