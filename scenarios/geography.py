"""Distances on the map and what light takes for them."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0
FIBRE_KM_PER_MS = 200.0  # light in glass: two thirds of its speed in vacuum


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance [km] between two points given as longitude and latitude [degrees] (haversine)."""
    lon_a, lat_a, lon_b, lat_b = (radians(value) for value in (*a, *b))
    chord = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(chord)))


def fibre_ms(a: tuple[float, float], b: tuple[float, float], detour: float) -> float:
    """Propagation [ms] in a fibre `detour` times as long as the great circle."""
    return distance_km(a, b) * detour / FIBRE_KM_PER_MS
