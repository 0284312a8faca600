"""A made topology of joined provinces for the exact optimum, and the demand between all its centres.

A province has 56 centres as the bundled one has: its own, 11 of cities and 44 of counties. Cities hang on the province,
and counties on their city, by two carriers each; rings of cities and of counties close cycles. The provinces' centres
are joined in pairs by two carriers, and any two provinces by a line between two of their cities. Other users leave a
drawn share of every line. Demand is gravity with a drawn factor a pair, stronger within a province.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from router_core.paths.route_space import RouteSpace, space_of_lines
from router_core.randomness import stream

CITIES = 11
COUNTIES = 4  # of each city
CENTRES = 1 + CITIES * (1 + COUNTIES)
SEED = 20_260_411
# Rates of lines [Mbit/s]: between provinces, down to cities and among them, down to counties and among them.
NATIONAL, CITY, COUNTY = 1_000.0, 155.0, 100.0
# Mass of a centre: province, city, county.
MASS = (12.0, 4.0, 1.0)
WITHIN = 6.0  # times the demand of a pair of two provinces


def provinces(count: int) -> tuple[RouteSpace, NDArray[np.float64], NDArray[np.float64]]:
    """Return the space, its unit loads (S,), and the demand (n, n) [Mbit/s] with nothing on the diagonal."""
    draws = stream(SEED, f"provinces {count}")
    names: list[str] = []
    mass: list[float] = []
    cables: list[tuple[int, int, float]] = []
    for province in range(count):
        top = len(names)
        cities = [top + 1 + city for city in range(CITIES)]
        counties = [[cities[-1] + 1 + city * COUNTIES + county for county in range(COUNTIES)] for city in range(CITIES)]
        names += [f"p{province}", *(f"p{province}c{city}" for city in range(CITIES))]
        names += [f"p{province}c{city}d{county}" for city in range(CITIES) for county in range(COUNTIES)]
        mass += [MASS[0]] + [MASS[1]] * CITIES + [MASS[2]] * CITIES * COUNTIES
        for city in range(CITIES):
            following = (city + 1) % CITIES
            cables += [(top, cities[city], CITY)] * 2
            cables.append((cities[city], cities[following], CITY))
            cables.append((counties[city][0], counties[following][0], COUNTY))
            for county in range(COUNTIES):
                cables += [(cities[city], counties[city][county], COUNTY)] * 2
                cables.append((counties[city][county], counties[city][(county + 1) % COUNTIES], COUNTY))
    for one, other in combinations(range(count), 2):
        cables += [(one * CENTRES, other * CENTRES, NATIONAL)] * 2
        cables.append((one * CENTRES + 1 + other, other * CENTRES + 1 + one, CITY))
    lines = np.array([(a, b) for one, other, _ in cables for a, b in ((one, other), (other, one))])
    capacity = np.repeat([rate for _, _, rate in cables], 2) * draws.uniform(0.4, 1.0, len(lines))
    weight = np.array(mass) * draws.lognormal(0.0, 0.5, len(names))
    home = np.arange(len(names)) // CENTRES
    demand = np.outer(weight, weight) * draws.lognormal(0.0, 1.0, (len(names), len(names)))
    demand *= np.where(home[:, None] == home, WITHIN, 1.0)
    np.fill_diagonal(demand, 0.0)
    demand *= 1_000.0 * count / demand.sum()
    return space_of_lines(names, lines, capacity), 1.0 / capacity, demand
