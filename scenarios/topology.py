"""Writes a scenario file of the explicit form from a plain topology: node names, coordinates, lines with rates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from router_core.errors import BadInputError
from scenarios.geography import fibre_ms
from scenarios.loading import load
from scenarios.model import RATE_MBPS_MAX

DETOUR: Final = 1.3  # fibres follow roads: about a third longer than the great circle (assumed)
PLAIN_MS: Final = 1.0  # where coordinates are no longitudes and latitudes (assumed)


def write_topology(
    path: str | os.PathLike[str],
    name: str,
    node_names: Sequence[str],
    xy: Sequence[tuple[float, float]],
    lines: Sequence[tuple[int, int]],
    rate_mbps: Sequence[float],
    title: str,
) -> None:
    """Write a scenario that carries a plain topology, and check that it loads.

    Each network node becomes a router ``NAME.router``, a centre ``NAME.centre`` and a front-end ``NAME`` of a unit
    ``NAME`` with one resource anyone may have, joined by local lines of the highest rate there is: only the given
    lines bind. What cannot be loaded is not left behind.

    Parameters
    ----------
    path : path-like
        The TOML file to write; an older one is replaced.
    name, title : str
        Name and title of the scenario.
    node_names : sequence of str, length n
        Unique names.
    xy : sequence of pairs, length n
        Longitude and latitude [degrees]; other coordinates (a drawing's) are scaled to such ones for the map.
    lines : sequence of pairs, length m
        Node numbers of the physical lines, each carrying both directions; parallel lines are listed one by one.
    rate_mbps : sequence of float, length m
        Rate of each direction of each line [Mbit/s], 1..8,000,000.

    Raises
    ------
    BadInputError
        If lengths differ, a number is out of range, or the scenario breaks a rule of the platform.
    """
    target = Path(path)
    for place, got, wanted in (("xy", len(xy), len(node_names)), ("rate_mbps", len(rate_mbps), len(lines))):
        if got != wanted:
            raise BadInputError(place, f"must have {wanted} entries", got)
    for index, (a, b) in enumerate(lines):
        if not (0 <= a < len(node_names) and 0 <= b < len(node_names)):
            raise BadInputError(f"lines[{index}]", f"must join nodes 0..{len(node_names) - 1}", (a, b))
    text = _text(name, node_names, xy, lines, rate_mbps, title)
    try:
        content = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInputError("names and title", "must be text that UTF-8 can hold", text[error.start]) from None
    # Beside the target, so that replacing it is one step; not by mkstemp, whose files nobody else may read.
    temporary = target.with_name(f".{target.name}.{os.getpid()}.toml")
    try:
        temporary.write_bytes(content)
        load(str(temporary))
        os.replace(temporary, target)
    except BadInputError as error:
        raise BadInputError(error.place, error.rule, error.value, str(target)) from None
    except OSError as error:
        raise BadInputError("path", f"must be writable: {error.strerror}", str(target)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _text(
    name: str,
    node_names: Sequence[str],
    xy: Sequence[tuple[float, float]],
    lines: Sequence[tuple[int, int]],
    rate_mbps: Sequence[float],
    title: str,
) -> str:
    geographic = all(abs(x) <= 180 and abs(y) <= 90 for x, y in xy)
    places = list(xy) if geographic else _scaled(xy)
    fast = f"fixed_us = 1.0, rate_mbps = {RATE_MBPS_MAX}"
    service = f"{{ servers = 1, {fast} }}"
    rows = [
        "# Written from a plain topology: a node has a router, a centre and a front-end, joined by fast local lines,",
        "# so that only the lines between routers bind. Times other than the lines' rates are assumed.",
        "schema = 1",
        'form = "explicit"',
        f"name = {_quoted(name)}",
        f"title_en = {_quoted(title)}",
        f"title_zh = {_quoted(title)}",
        'zones = ["outer"]',
        'carriers = ["network"]',
        "",
        "units = [",
    ]
    for region, node in enumerate(node_names):
        label = f"name = {_quoted(node)}, label_zh = {_quoted(node)}"
        rows.append(f'    {{ {label}, level = "province", sector = 0, region = {region}, weight = 1.0 }},')
    rows += ["]", "", "nodes = ["]
    for site, (node, (x, y)) in enumerate(zip(node_names, places, strict=True)):
        common = f'level = "province", zone = "outer", site = {site}, lon = {float(x)!r}, lat = {float(y)!r}'
        for kind, suffix, more in (
            ("router", ".router", ""),
            ("centre", ".centre", f", process = {service}"),
            ("front_end", "", f", unit = {_quoted(node)}"),
        ):
            row = f'name = {_quoted(node + suffix)}, kind = "{kind}", {common}, service = {service}{more}'
            rows.append(f"    {{ {row} }},")
    rows += ["]", "", "lines = ["]
    local = f"{fast}, propagation_ms = 0.0"
    for node in node_names:
        router, centre, front_end = _quoted(f"{node}.router"), _quoted(f"{node}.centre"), _quoted(node)
        rows.append(f"    {{ a = {centre}, b = {router}, {local} }},")
        rows.append(f"    {{ a = {front_end}, b = {centre}, {local} }},")
    for (a, b), rate in zip(lines, rate_mbps, strict=True):
        ends = f"a = {_quoted(f'{node_names[a]}.router')}, b = {_quoted(f'{node_names[b]}.router')}"
        delay = fibre_ms(xy[a], xy[b], DETOUR) if geographic else PLAIN_MS
        speed = f"rate_mbps = {float(rate)!r}, fixed_us = 1.0, propagation_ms = {round(delay, 6)!r}"
        rows.append(f'    {{ {ends}, carrier = "network", {speed} }},')
    rows += ["]", "", "resources = ["]
    for node in node_names:
        resource = f"name = {_quoted(f'{node}/traffic')}, unit = {_quoted(node)}"
        rows.append(f'    {{ {resource}, sharing = "unconditional", released = true, weight = 1.0 }},')
    return "\n".join([*rows, "]", "", _DEMAND])


def _scaled(xy: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Shrink any finite coordinates into 10 degrees around the origin; others are left for the check to refuse."""
    largest = max(max(abs(x), abs(y)) for x, y in xy)
    return [(10 * x / largest, 10 * y / largest) for x, y in xy]


def _quoted(text: str) -> str:
    """Write a TOML basic string."""
    escaped = "".join(
        f"\\{char}" if char in '\\"' else f"\\u{ord(char):04x}" if ord(char) < 32 or ord(char) == 127 else char
        for char in text
    )
    return f'"{escaped}"'


_FLAT = ", ".join(["1.0"] * 24)
_DEMAND: Final = f"""# One plain type: the measured matrices say how much flows when, not this file.
[demand]
exchanges_per_day = 100_000
peak_utilisation = 0.8
structure_seed = 1

[[demand.types]]
name = "traffic"
title_en = "Measured traffic"
title_zh = "实测流量"
mode = "batch"
kind = "exchange"
priority = 0
share = 1.0
hours = [{_FLAT}]
off_hours = [{_FLAT}]
weekend = 1.0
holiday = 1.0
month_end = 1.0
reporting = 1.0
yearly = 1.0
half_yearly = 1.0
deadline_s = 0.0
deferrable = false
period_minutes = 0.0
size = {{ median_kb = 1000.0, sigma = 1.0, tail_share = 0.01, tail_alpha = 2.0, max_mb = 1000.0 }}
scales = true
same_sector = 1.0
same_region = 1.0
upward = 1.0
downward = 1.0
fan_out = 1
"""
