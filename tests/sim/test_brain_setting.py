"""Setting files: a round trip, defaults, and every kind of wrong file in one line."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from router_core.errors import BadInputError
from sim.brain_setting import read_setting, setting_of, stated, write_setting
from strategies.dynamic.setting import BOUNDS, DynamicSetting


def test_every_parameter_has_bounds_and_its_default_keeps_them() -> None:
    assert set(BOUNDS) == {field.name for field in fields(DynamicSetting)}
    assert setting_of({}) == DynamicSetting()


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_a_setting_survives_its_file(name: str, tmp_path: Path) -> None:
    low, high = BOUNDS[name]
    kind = type(getattr(DynamicSetting(), name))
    for value in (low, high, (low + high) / 3):
        setting = replace(DynamicSetting(), **{name: kind(value)})
        write_setting(tmp_path / "s.toml", setting, ("found by\ntune",))
        assert read_setting(tmp_path / "s.toml") == setting


def test_times_are_seconds_in_files() -> None:
    assert stated(DynamicSetting())["probe_s"] == 60.0
    assert setting_of({"probe_s": 1.5}).probe_ns == 1_500_000_000


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "schema"),
        ("schema = 2\n[dynamic]", "schema"),
        ("schema = true\n[dynamic]", "schema"),
        ("schema = 1", "dynamic"),
        ("schema = 1\ndynamic = 3", "dynamic"),
        ("schema = 1\n[dynamic]\n[static]", "static"),
        ("schema = 1\n[dynamic]\nbusyness = 1", "dynamic.busyness"),
        ("schema = 1\n[dynamic]\nbusy = nan", "dynamic.busy"),
        ("schema = 1\n[dynamic]\nbusy = true", "dynamic.busy"),
        ('schema = 1\n[dynamic]\nbusy = "0.5"', "dynamic.busy"),
        ("schema = 1\n[dynamic]\nbusy = 1.01", "dynamic.busy"),
        ("schema = 1\n[dynamic]\npairs_max = 1.5", "dynamic.pairs_max"),
        ("schema = 1\n[dynamic]\nprobe_s = 0", "dynamic.probe_s"),
        ("schema = ", "file"),
        ("schema = 1\n[dynamic]\nbusy = \udc80", "file"),
    ],
)
def test_a_wrong_file_is_named(text: str, place: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInputError) as caught:
        read_setting(path)
    assert caught.value.place == place
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="must be a TOML file that can be read"):
        read_setting(tmp_path / "none.toml")


def test_the_page_tells_every_default_and_range() -> None:
    page = (Path(__file__).parents[2] / "docs" / "setting-format.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+ \| \S+) \|", page, re.M))
    shown = {name: value.replace(",", "").replace("10^12", "1000000000000") for name, value in rows.items()}
    defaults = stated(DynamicSetting())
    for field in fields(DynamicSetting):
        low, high = BOUNDS[field.name]
        unit = 1_000_000_000 if field.name.endswith("_ns") else 1
        name = field.name.removesuffix("_ns") + "_s" if unit > 1 else field.name
        default, span = shown.pop(name).split(" | ")
        assert float(default) == defaults[name]
        assert [float(one) for one in span.split("..")] == [low / unit, high / unit]
    assert not shown
