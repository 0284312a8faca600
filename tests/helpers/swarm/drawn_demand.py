"""What is exchanged at a drawn place: units, a catalogue of each sharing type, and types of demand of each mode."""

from __future__ import annotations

from math import exp
from typing import Any

from swarm.drawing import Draw, Names

Table = dict[str, Any]
MODES = ("query", "docking", "front_end", "batch")
PERIODS_MINUTES = (5.0, 15.0, 60.0, 1_440.0)
# A day has so many times the exchanges of its busiest hour, about.
BUSY_HOURS = 12.0


def units_of(draw: Draw, names: Names, site_level: list[str]) -> list[Table]:
    """Draw the units, with the `site` each has its front-ends at; the first is the province's."""
    sites = [0, *(draw.whole(0, len(site_level) - 1) for _ in range(draw.whole(2, 5)))]
    return [
        {
            "name": names.new("unit"),
            "label_zh": f"单位{number}",
            "level": site_level[site],
            "sector": draw.whole(0, 3),
            "region": site,
            "weight": draw.between(0.5, 5.0),
            "site": site,
        }
        for number, site in enumerate(sites)
    ]


def catalogue_of(
    draw: Draw, names: Names, units: list[Table], providers: list[str], plenty: bool
) -> tuple[list[Table], list[Table]]:
    """Draw systems and resources; the first provider has one that everybody may have, so that any type has a use."""
    systems = [{"name": names.new("system"), "unit": unit} for unit in providers if draw.chance(0.4)]
    resources: list[Table] = []
    owners = providers + [draw.of(providers) for _ in range(draw.whole(0, 3))] if plenty else providers[:3]
    for number, owner in enumerate(owners):
        sharing = "unconditional" if number == 0 else draw.of(("unconditional", "unconditional", "conditional"))
        if number >= 2 and draw.chance(0.25):
            sharing = "not_shared"
        one: Table = {
            "name": names.new("resource"),
            "unit": owner,
            "sharing": sharing,
            "released": number == 0 or draw.chance(0.5),
            "weight": draw.between(0.5, 8.0),
        }
        own = [system["name"] for system in systems if system["unit"] == owner]
        if own and draw.chance(0.7):
            one["system"] = own[0]
        if sharing == "conditional":
            others = [unit["name"] for unit in units if unit["name"] != owner]
            one["grants"] = draw.some(others, 1, len(others))
        resources.append(one)
    return systems, resources


def demand_of(draw: Draw, names: Names, bytes_a_second: float, plenty: bool) -> Table:
    """Draw the types of demand; some places are idle, others as busy as their slowest station may be."""
    modes = [*MODES, *([draw.of(MODES)] if draw.chance(0.3) else [])] if plenty else draw.some(MODES, 2, 3)
    parts = [draw.between(0.5, 2.0) for _ in modes]
    shares = [round(part / sum(parts), 3) for part in parts]
    shares[0] = round(1.0 - sum(shares[1:]), 3)
    per_day = draw.whole(1_500, 4_000)
    day_bytes = draw.of((0.2, 0.8, 3.0)) * draw.between(0.5, 1.2) * bytes_a_second * 3_600 * BUSY_HOURS
    types = []
    for number, (mode, share) in enumerate(zip(modes, shares, strict=True)):
        size_part = 0.002 if mode == "query" else draw.scale(0.01, 0.5)
        mean_bytes = size_part * day_bytes / (share * per_day)
        types.append(_type(draw, names.new("type"), mode, share, mean_bytes, number, 3 if plenty else 1))
    return {
        "exchanges_per_day": per_day,
        "peak_utilisation": 0.5,
        "structure_seed": draw.whole(0, 10**6),
        "types": types,
    }


def _type(draw: Draw, name: str, mode: str, share: float, mean_bytes: float, number: int, fan_out: int) -> Table:
    # The first type comes on demand always, so that there is something in any minute.
    sync = number > 0 and mode != "query" and draw.chance(0.5)
    period = draw.of(PERIODS_MINUTES) if sync else 0.0
    deferrable = mode != "query" and draw.chance(0.6)
    deadline_s = draw.of((30.0, 3_600.0, 7_200.0, 21_600.0)) if deferrable or draw.chance(0.6) else 0.0
    sigma = draw.between(0.0, 1.2)
    median_kb = max(round(mean_bytes / exp(sigma**2 / 2) / 1_000, 3), 0.01)
    night = draw.between(0.1, 0.5)
    return {
        "name": name,
        "title_en": f"Type {number}",
        "title_zh": f"类型{number}",
        "mode": mode,
        "kind": "sync" if sync else "exchange",
        "priority": draw.whole(0, 7) if draw.chance(0.5) else min(number, 3),
        "share": share,
        "hours": curve(draw, night, 1.0),
        "off_hours": curve(draw, night, 0.6),
        **{
            special: draw.between(0.4, 2.0)
            for special in ("weekend", "holiday", "month_end", "reporting", "yearly", "half_yearly")
        },
        "deadline_s": deadline_s,
        "deferrable": deferrable,
        "period_minutes": period,
        "size": {
            "median_kb": median_kb,
            "sigma": sigma,
            "tail_share": draw.of((0.0, 0.02, 0.1)),
            "tail_alpha": draw.between(1.5, 3.0),
            "max_mb": round(median_kb / 1_000 * draw.of((4.0, 30.0)) + 0.001, 6),
        },
        # Sizes are what they say: nothing is to be solved for before a trace is made.
        "scales": False,
        "same_sector": draw.between(1.0, 3.0),
        "same_region": draw.between(0.5, 3.0),
        "upward": draw.between(0.5, 3.0),
        "downward": draw.between(0.5, 2.0),
        "fan_out": draw.whole(1, fan_out),
    }


def curve(draw: Draw, low: float, high: float) -> list[float]:
    """Draw the hours of a day: low at night, with a hill somewhere, and all of it uneven."""
    top, width = draw.whole(8, 20), draw.whole(2, 6)
    return [round((high if abs(hour - top) <= width else low) * draw.between(0.7, 1.0), 3) for hour in range(24)]
