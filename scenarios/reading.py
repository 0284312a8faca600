"""Scenario files: found, parsed, merged with what they extend. Every fault becomes one `BadInputError`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from router_core.errors import BadInputError

BUNDLED: Final = ("jiangxi", "jiangxi-neighbours", "toy", "national")
EXTENDS_MAX: Final = 8
FILE_BYTES_MAX: Final = 64 * 2**20

_ModelT = TypeVar("_ModelT", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """A parsed scenario file.

    Attributes
    ----------
    file : str
        The file as the user named it; a bundled scenario's file name.
    folder : Path or None
        Where relative names in it are looked up; None for a bundled scenario.
    data : dict
        The parsed tables, merged with what the file extends.
    base : Document or None
        What it extends.
    appended : dict
        Key path of each array that the file lengthened, and how long the base's was.
    """

    file: str
    folder: Path | None
    data: dict[str, Any]
    base: Document | None = None
    appended: dict[str, int] = field(default_factory=dict)

    def own(self, error: BadInputError) -> BadInputError:
        """Return the error as seen in this very file: file named, entries counted as they stand in it."""
        place = error.place
        for path, length in self.appended.items():
            found = re.match(re.escape(path) + r"\[(\d+)\]", place)
            if found and int(found[1]) >= length:
                place = f"{path}[{int(found[1]) - length}]{place[found.end() :]}"
        return BadInputError(place, error.rule, error.value, error.file or self.file)


def read_document(name_or_path: str, folder: Path | None = None, chain: tuple[str, ...] = ()) -> Document:
    """Find, read and parse a scenario, and merge it with what it extends.

    Parameters
    ----------
    name_or_path : str
        A bundled name or the path of a TOML file.
    folder : Path, optional
        Where a relative path is looked up.
    chain : tuple of str
        The files that extend this one, to find circles.

    Raises
    ------
    BadInputError
        If it cannot be found, read, decoded or parsed, or extends itself.
    """
    file, own_folder, content = _content(name_or_path, folder)
    data = parsed(file, content)
    identity = str(own_folder / file) if own_folder else file
    if "extends" not in data:
        return Document(file, own_folder, data)
    base_name = data.pop("extends")
    if not isinstance(base_name, str):
        raise BadInputError("extends", "must be the name or the path of a scenario", base_name, file)
    if identity in chain or len(chain) >= EXTENDS_MAX:
        raise BadInputError("extends", f"must not go round in a circle or deeper than {EXTENDS_MAX}", base_name, file)
    if "form" in data:
        raise BadInputError("form", "a file that extends another has the other's form", data["form"], file)
    for key in ("schema", "name", "title_en", "title_zh"):
        if key not in data:
            raise BadInputError(key, "required key is missing", "nothing", file)
    try:
        base = read_document(base_name, own_folder, (*chain, identity))
    except BadInputError as error:
        if error.place != "scenario":
            raise
        raise BadInputError("extends", error.rule, error.value, file) from None
    appended: dict[str, int] = {}
    merged = _merge(base.data, data, "", appended)
    return Document(file, own_folder, merged, base, appended)


def parsed(file: str, content: bytes) -> dict[str, Any]:
    """Return the tables of a TOML file, or raise `BadInputError` naming file, line and column."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInputError(
            f"line {line}", "must be UTF-8 text", content[error.start : error.start + 4], file
        ) from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise BadInputError("the file", "must not nest so deeply", "too many brackets", file) from None
    except ValueError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        lines = text.splitlines()
        number = int(found[1]) if found else len(lines)
        place = f"line {number}, column {found[2]}" if found else "end of the file"
        shown = lines[number - 1].strip() if 1 <= number <= len(lines) else ""
        message = re.sub(r"\s*\(at .*\)$", "", str(error))
        raise BadInputError(place, f"must be valid TOML: {message}", shown, file) from None


def validated(model: type[_ModelT], data: object) -> _ModelT:
    """Return `data` as a `model`, or raise `BadInputError` for the first key that breaks a rule."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    # An unknown key explains the missing one that it was meant to be.
    fault = min(faults, key=lambda item: item["type"] != "extra_forbidden")
    place, value, rule = key_path(fault["loc"]), fault["input"], fault["msg"]
    if fault["type"] == "extra_forbidden":
        rule = "unknown key"
    elif fault["type"] == "missing":
        rule, value = "required key is missing", "nothing"
    elif isinstance(value, dict):
        value = "a table"
    elif value is None:  # TOML has no such value: a key was left out
        value = "nothing"
    raise BadInputError(place, rule.replace("Input should", "must").replace("String should", "must"), value)


def key_path(location: tuple[int | str, ...]) -> str:
    """Write a location such as ``("cities", 3, "name")`` as ``cities[3].name``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in location)
    return text.removeprefix(".") or "the file"


def _key(key: str) -> str:
    """A key as TOML would write it: bare, or quoted if it holds anything unusual."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else repr(key)


def _content(name_or_path: str, folder: Path | None) -> tuple[str, Path | None, bytes]:
    if name_or_path in BUNDLED:
        file = f"{name_or_path}.toml"
        return file, None, files("scenarios").joinpath(file).read_bytes()
    rule = f"must be one of {', '.join(BUNDLED)}, or a TOML file that can be read"
    path = Path(name_or_path) if folder is None else folder / name_or_path
    try:
        if not path.is_file():
            raise BadInputError("scenario", rule, name_or_path)
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadInputError("scenario", f"a scenario file has at most {FILE_BYTES_MAX} bytes", name_or_path)
        return str(path), path.parent, path.read_bytes()
    except (OSError, ValueError):
        raise BadInputError("scenario", rule, name_or_path) from None


def _merge(base: dict[str, Any], extra: dict[str, Any], path: str, appended: dict[str, int]) -> dict[str, Any]:
    """Tables merge, arrays of tables lengthen, everything else is replaced."""
    merged = dict(base)
    for key, value in extra.items():
        here = f"{path}.{key}" if path else key
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merge(old, value, here, appended)
        elif _is_tables(old) and _is_tables(value):
            assert isinstance(old, list)
            appended[here] = len(old)
            merged[key] = old + value
        else:
            merged[key] = value
    return merged


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(item, dict) for item in value)
