"""What is searched: parameters of `DynamicSetting` with sensible ranges, all in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from router_core.errors import BadInputError
from sim.brain_setting import setting_of, stated
from strategies.dynamic.setting import DynamicSetting

PLACE: Final = "--parameter"
# A setting is for people too: busy = 0.713 says as much as all digits.
FIGURES: Final = 3


@dataclass(frozen=True)
class Parameter:
    """A parameter by its name in setting files, and the range that is searched.

    Attributes
    ----------
    name : str
    low, high : float
        Both may be taken; low < high.
    log : bool
        Whether factors count, and not differences.
    """

    name: str
    low: float
    high: float
    log: bool = False


# Ranges are what an operator could stand behind, narrower than `BOUNDS`, which say where a parameter means nothing.
# `pairs_max` is left out because it is a limit on work, and `record_s` because it changes no exchange; `probe_s` and
# `probe_bytes_per_s` because the rounds of test particles go by a setting of their own.
PARAMETERS: Final = (
    Parameter("memory_s", 60.0, 3600.0, log=True),
    Parameter("belief", 0.5, 64.0, log=True),
    Parameter("busy", 0.5, 0.95),
    Parameter("gain_min", 0.01, 0.5, log=True),
    Parameter("step_max", 0.1, 1.0, log=True),
    Parameter("return_step", 0.1, 1.0, log=True),
    Parameter("settle_s", 60.0, 1800.0, log=True),
    Parameter("server_target", 0.4, 0.85),
    Parameter("cool_down_s", 120.0, 3600.0, log=True),
    Parameter("drain_s", 120.0, 3600.0, log=True),
    Parameter("pace_target", 0.6, 1.0),
    Parameter("pace_min", 0.01, 0.3, log=True),
    Parameter("hold_of_lead", 0.1, 1.0),
)


def chosen_parameters(texts: Sequence[str]) -> tuple[Parameter, ...]:
    """Return what is searched: everything, or what is named, such as ``busy`` or ``busy=0.5..0.9``.

    Raises
    ------
    BadInputError
        If a text names none, names one twice, or gives a range that is none or goes beyond the parameter's bounds.
    """
    known = {one.name: one for one in PARAMETERS}
    found: dict[str, Parameter] = {}
    for text in texts:
        name, given, span = text.partition("=")
        if name not in known:
            raise BadInputError(PLACE, f"must be one of {', '.join(known)}, such as busy or busy=0.5..0.9", text)
        if name in found:
            raise BadInputError(PLACE, "must be named once", text)
        found[name] = _narrowed(known[name], span, text) if given else known[name]
    return tuple(found.values()) or PARAMETERS


def _narrowed(parameter: Parameter, span: str, text: str) -> Parameter:
    first, _, last = span.partition("..")
    try:
        low, high = float(first), float(last)
    except ValueError:
        raise BadInputError(PLACE, "must give its range as LOW..HIGH, such as busy=0.5..0.9", text) from None
    if not low < high or (parameter.log and low <= 0.0):
        rule = "must have LOW < HIGH" + (", both above 0 as factors count" if parameter.log else "")
        raise BadInputError(PLACE, rule, text)
    for end in (low, high):
        try:
            setting_of({parameter.name: end})
        except BadInputError as error:
            raise BadInputError(PLACE, error.rule, text) from None
    return replace(parameter, low=low, high=high)


def defaults(parameters: Sequence[Parameter]) -> dict[str, float]:
    """Return the defaults of these parameters, by their names in files."""
    values = stated(DynamicSetting())
    return {one.name: float(values[one.name]) for one in parameters}


def rounded(parameters: Sequence[Parameter], values: Mapping[str, float]) -> dict[str, float]:
    """Return values of three figures that still lie in their ranges."""
    result = {}
    for one in parameters:
        short = float(f"{values[one.name]:.{FIGURES}g}")
        result[one.name] = min(max(short, one.low), one.high)
    return result
