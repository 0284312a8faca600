"""A value as a sentence or a plain table has it."""

from __future__ import annotations

from datetime import datetime

from sim.report.blocks import Form


def written(value: float, form: Form) -> str:
    """Return a value as a sentence has it."""
    match form:
        case Form.NS:
            for unit, one in (("h", 3.6e12), ("min", 6e10), ("s", 1e9), ("ms", 1e6), ("us", 1e3)):
                if abs(value) >= one:
                    return f"{value / one:.3g} {unit}"
            return f"{value:.3g} ns"
        case Form.SHARE:
            return f"{100 * value:.3g} %"
        case Form.HOURS:
            return f"{value:.3g} h"
        case _:
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def iso(when: datetime | None) -> str | None:
    """Return an instant to the minute, as tables and programs have it; None for none."""
    return None if when is None else when.isoformat(timespec="minutes")
