"""Tides as data: a document for JSON and named arrays, and back to the bit."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from strategies.tides.bands import Bands
from strategies.tides.blend import ModelScore, TideRecord
from strategies.tides.days import Almanac, Calendar, DayTable, plain_calendar
from strategies.tides.mixture import Mixture
from strategies.tides.models import MODELS
from strategies.tides.scale import Scale
from strategies.tides.state import Errors, TideState
from strategies.tides.totals import Totals

FORMAT: Final = 1
CALENDARS: Final[dict[str, Calendar]] = {"official": day_of, "plain": plain_calendar}
OWN: Final = "own"


def parts_of(tides: TideState) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a document and arrays from which `state_from_parts` makes an equal state."""
    calendar = next((name for name, known in CALENDARS.items() if known is tides.calendar), OWN)
    record = asdict(tides.record)
    for score in record["scores"]:
        for name in ("wape", "pinball"):
            score[name] = _number(score[name])
            score[f"{name}_by_group"] = [_number(value) for value in score[f"{name}_by_group"]]
    record["groups"], record["scores"] = list(record["groups"]), list(record["scores"])
    record["weights"] = [list(weight) for weight in record["weights"]]
    document = {
        "format": FORMAT,
        "models": list(MODELS),
        "calendar": calendar,
        "begin": tides.grid.begin.isoformat(),
        "step_ns": tides.grid.step_ns,
        "count": tides.grid.count,
        "recent_days": [when.isoformat() for when in tides.recent.dates],
        "unit_of_count": tides.scale.count,
        "record": record,
    }
    arrays: dict[str, NDArray[Any]] = {
        "totals_context": tides.totals.context,
        "totals_total": tides.totals.total,
        "totals_days": tides.totals.days,
        "recent_demand": tides.recent.demand,
        "recent_known": tides.recent.known,
        "amount": tides.mixture.amount,
        "tide": tides.mixture.tide,
        "effect": tides.mixture.effect,
        "unit": tides.scale.unit,
        "spread": tides.scale.spread,
        "level": tides.scale.level,
        "upper": tides.bands.upper,
        "middle": tides.bands.middle,
        "error_kind": tides.errors.kind,
        "error": tides.errors.error,
        "weights": tides.weights,
    }
    return document, arrays


def state_from_parts(
    document: dict[str, Any], arrays: dict[str, NDArray[Any]], calendar: Calendar | None = None
) -> TideState:
    """Make the state that `parts_of` took apart.

    Raises
    ------
    BadInputError
        If the document is of another format, or was made with a calendar that is not given.
    """
    if document.get("format") != FORMAT or document.get("models") != list(MODELS):
        raise BadInputError("tides.format", f"must be {FORMAT} with the models of this version", document.get("format"))
    known = CALENDARS.get(document["calendar"]) if calendar is None else calendar
    if known is None:
        raise BadInputError("tides.calendar", "needs the calendar that it was fitted with", document["calendar"])
    totals = Totals(arrays["totals_context"], arrays["totals_total"], arrays["totals_days"])
    dates = tuple(date.fromisoformat(when) for when in document["recent_days"])
    recent = DayTable(dates, Almanac.of(dates, known), arrays["recent_demand"], arrays["recent_known"])
    mixture = Mixture(arrays["amount"], arrays["tide"], arrays["effect"])
    unit = arrays["unit"]
    return TideState(
        grid=TimeGrid(datetime.fromisoformat(document["begin"]), document["step_ns"], document["count"]),
        calendar=known,
        record=_record(document["record"]),
        totals=totals,
        recent=recent,
        mixture=mixture,
        scale=Scale(unit, arrays["spread"], arrays["level"], float(document["unit_of_count"])),
        bands=Bands(arrays["upper"], arrays["middle"]),
        errors=Errors(arrays["error_kind"], arrays["error"]),
        weights=arrays["weights"],
    )


def _record(document: dict[str, Any]) -> TideRecord:
    scores = tuple(
        ModelScore(
            model=score["model"],
            wape=_float(score["wape"]),
            pinball=_float(score["pinball"]),
            wape_by_group=tuple(map(_float, score["wape_by_group"])),
            pinball_by_group=tuple(map(_float, score["pinball_by_group"])),
            weight=score["weight"],
        )
        for score in document["scores"]
    )
    return TideRecord(
        first=document["first"],
        last=document["last"],
        groups=tuple(document["groups"]),
        scores=scores,
        weights=tuple((str(model), float(weight)) for model, weight in document["weights"]),
        outliers=document["outliers"],
    )


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if isnan(value) else value


def _float(value: float | None) -> float:
    return float(np.nan) if value is None else value
