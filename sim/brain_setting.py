"""Brain settings: what the dynamic policy goes by, in a TOML file that people and `tune` write.

The file says `schema = 1` and holds a table `[dynamic]` with any of the parameters of `DynamicSetting`; what is left
out has its default. Times are in seconds: `memory_ns` is written `memory_s`. A comment may say where it comes from.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from router_core.errors import BadInputError
from router_core.units import SECOND_NS
from scenarios.reading import key_path
from strategies.dynamic.setting import BOUNDS, DynamicSetting
from traces.atomic import written_whole

SCHEMA: Final = 1
TABLE: Final = "dynamic"
FILE_BYTES_MAX: Final = 1 << 20
_NS: Final = "_ns"
_S: Final = "_s"


def read_setting(path: Path) -> DynamicSetting:
    """Read a setting file.

    Raises
    ------
    BadInputError
        For the first thing that is wrong, naming file, key, rule and value.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadInputError("file", f"must have at most {FILE_BYTES_MAX} bytes", path.stat().st_size, str(path))
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError("file", "must be a TOML file that can be read", error.strerror, str(path)) from None
    except RecursionError:
        raise BadInputError("file", "must not nest so deeply", "too many brackets", str(path)) from None
    except ValueError as error:  # no UTF-8, no TOML, or a number of thousands of digits
        raise BadInputError("file", "must be TOML", str(error), str(path)) from None
    try:
        return _setting(data)
    except BadInputError as error:
        raise error.within(str(path)) from None


def write_setting(path: Path, setting: DynamicSetting, comments: tuple[str, ...] = ()) -> None:
    """Write a setting file with all its parameters, whole or not at all; comments are lines at its top."""
    lines = [*(f"# {' '.join(line.split())}" for line in comments), f"schema = {SCHEMA}", "", f"[{TABLE}]"]
    lines += [f"{name} = {value!r}" for name, value in stated(setting).items()]
    with written_whole(path) as draft:
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def stated(setting: DynamicSetting) -> dict[str, float]:
    """Return the parameters by their names in files, times in seconds."""
    values = {field.name: getattr(setting, field.name) for field in fields(setting)}
    return {_stated_name(name): value / SECOND_NS if name.endswith(_NS) else value for name, value in values.items()}


def setting_of(parameters: Mapping[str, float], base: DynamicSetting | None = None) -> DynamicSetting:
    """Return a setting from parameters by their names in files; what is not given is as in `base` (or default).

    Raises
    ------
    BadInputError
        If a parameter is unknown, is no number of its kind, or lies outside its bounds.
    """
    base = base or DynamicSetting()
    known = {_stated_name(field.name): field.name for field in fields(DynamicSetting)}
    values: dict[str, Any] = {field.name: getattr(base, field.name) for field in fields(base)}
    for name, value in parameters.items():
        if name not in known:
            raise BadInputError(f"{TABLE}.{name}", f"must be one of {', '.join(sorted(known))}", value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= 1e15:
            raise BadInputError(f"{TABLE}.{name}", "must be a finite number", value)
        own = known[name]
        whole = isinstance(values[own], int)
        if own.endswith(_NS):
            values[own] = round(value * SECOND_NS)
        elif whole and value != int(value):
            raise BadInputError(f"{TABLE}.{name}", "must be a whole number", value)
        else:
            values[own] = int(value) if whole else float(value)
    try:
        return DynamicSetting(**values)
    except BadInputError as error:
        low, high = BOUNDS[error.place]
        unit = SECOND_NS if error.place.endswith(_NS) else 1
        rule = f"must lie in {low / unit:g}..{high / unit:g}"
        stated_name = _stated_name(error.place)
        raise BadInputError(f"{TABLE}.{stated_name}", rule, parameters.get(stated_name)) from None


def _setting(data: dict[str, Any]) -> DynamicSetting:
    if type(data.get("schema")) is not int or data["schema"] != SCHEMA:
        raise BadInputError("schema", f"must be {SCHEMA}, the version that this program reads", data.get("schema"))
    for key, value in data.items():
        if key not in ("schema", TABLE):
            raise BadInputError(key_path((key,)), f"must be schema or [{TABLE}]", value)
    table = data.get(TABLE)
    if not isinstance(table, dict):
        raise BadInputError(TABLE, "must be a table", table)
    return setting_of(table)


def _stated_name(name: str) -> str:
    return name.removesuffix(_NS) + _S if name.endswith(_NS) else name
