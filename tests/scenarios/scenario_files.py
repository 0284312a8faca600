"""Scenario files for tests: the bundled ones as plain tables, changed and written again."""

import copy
import json
import tomllib
from importlib.resources import files
from pathlib import Path


def text_of(name):
    return files("scenarios").joinpath(f"{name}.toml").read_text(encoding="utf-8")


def tables_of(name):
    return tomllib.loads(text_of(name))


def toml_value(value):
    """Any value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_value(key)} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    # Python's own texts of true and false need a small letter; those of numbers, NaN and infinities are TOML's.
    return repr(value).lower()


def written(folder: Path, tables, name="changed.toml"):
    """Write tables as a scenario file; return its path as a user would name it."""
    path = folder / name
    path.write_text("".join(f"{toml_value(key)} = {toml_value(item)}\n" for key, item in tables.items()), "utf-8")
    return str(path)


def leaves(value, path=()):
    """Every path that ends in a plain value or an empty array."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def at(tables, path):
    for part in path:
        tables = tables[part]
    return tables


def changed(tables, path, value):
    """A copy of the tables in which the path leads to this value."""
    result = copy.deepcopy(tables)
    at(result, path[:-1])[path[-1]] = value
    return result


def without(tables, path):
    result = copy.deepcopy(tables)
    del at(result, path[:-1])[path[-1]]
    return result
