"""The digest stands for everything a scenario says: whichever key changes, it changes."""

import math
import random
from functools import cache

import numpy as np
import pytest
from scenario_files import at, changed, leaves, tables_of, written

import scenarios
from router_core.errors import BadInputError
from scenarios import geography

SILENT = {"schema", "form", "extends", "template", "kind", "mode", "level", "sharing"}


def another(value):
    """A different value of the same type, near enough to be valid in most places."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.75 if value else 0.25
    return f"{value}x"


def sample(name, count):
    tables = tables_of(name)
    paths = [path for path in leaves(tables) if not SILENT & set(path) and at(tables, path) != []]
    chosen = random.Random(7).sample(paths, min(count, len(paths)))
    return [(name, path) for path in chosen]


@cache
def digest(name):
    return scenarios.load(name).digest


def compare(tmp_path, name, path):
    """Whether the file with that key changed is another platform, or none at all."""
    tables = tables_of(name)
    file = written(tmp_path, changed(tables, path, another(at(tables, path))))
    try:
        return scenarios.load(file).digest != digest(name)
    except BadInputError:
        return None


@pytest.mark.parametrize(("name", "count", "refused_most"), [("toy", 150, 0.75), ("jiangxi", 40, 0.5)])
def test_a_changed_key_changes_the_digest_or_is_refused(tmp_path, name, count, refused_most):
    outcomes = {path: compare(tmp_path, name, path) for name, path in sample(name, count)}
    assert [path for path, outcome in outcomes.items() if outcome is False] == []
    refused = [path for path, outcome in outcomes.items() if outcome is None]
    assert len(refused) < refused_most * len(outcomes), "most changes must be taken, or nothing was tried"


# Where one and a half times the value would break a rule of its own.
OTHER = {("catalogue", "resources_min"): 1, ("dual_homing", "access_detour"): 2.0}


def parameters():
    """Every number of the drawn parts of Jiangxi: what only steers a draw must show as well."""
    tables = tables_of("jiangxi")
    return [
        (part, key)
        for part in ("catalogue", "background", "dual_homing")
        for key, value in tables[part].items()
        if isinstance(value, (int, float)) and not key.endswith(("conditional_share", "not_shared_share"))
    ]


@pytest.mark.parametrize(("part", "key"), parameters())
def test_every_parameter_of_a_draw_counts(tmp_path, part, key):
    tables = tables_of("jiangxi")
    value = tables[part][key]
    tables[part][key] = OTHER.get((part, key), value + 1 if isinstance(value, int) else value * 1.5)
    assert scenarios.load(written(tmp_path, tables)).digest != digest("jiangxi")


def test_shares_of_sharing_types_count(tmp_path):
    tables = tables_of("jiangxi")
    tables["catalogue"].update(unconditional_share=0.2, conditional_share=0.3, not_shared_share=0.5)
    catalogue = scenarios.load(written(tmp_path, tables)).catalogue
    own = catalogue.resource_sharing[len(tables["catalogue"]["high_use"]) :]
    assert np.bincount(own) / len(own) == pytest.approx([0.2, 0.3, 0.5], abs=0.04)


def test_another_seed_draws_another_catalogue_over_the_same_network(tmp_path):
    tables = tables_of("jiangxi")
    tables["catalogue"]["seed"] += 1
    first, second = scenarios.load("jiangxi"), scenarios.load(written(tmp_path, tables))
    assert first.network.line_source.tolist() == second.network.line_source.tolist()
    assert first.catalogue.resource_weight.tolist() != second.catalogue.resource_weight.tolist()
    assert first.background.line_scale.tolist() == second.background.line_scale.tolist()


@pytest.mark.parametrize("name", ["jiangxi", "national"])
@pytest.mark.parametrize("toward", [np.inf, -np.inf])
def test_no_digest_hangs_on_the_last_bit_of_a_processors_functions(monkeypatch, name, toward):
    """numpy chooses instructions by the processor, C libraries differ: what both round otherwise must not show."""

    def beside(function):
        return lambda *x: np.nextafter(function(*x), toward)

    for function in ("exp", "log", "sqrt", "power"):
        monkeypatch.setattr(np, function, beside(getattr(np, function)))
    for function in ("sin", "cos", "asin", "sqrt"):
        monkeypatch.setattr(geography, function, beside(getattr(math, function)))
    assert geography.sin(1.0) != math.sin(1.0)
    assert np.exp(1.0) != math.e
    assert scenarios.load(name).digest == digest(name)
