"""Targets: scenario files, changes of them, fault files, setting files, price lists."""

from __future__ import annotations

import re
import tempfile
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import scenarios
from fuzzing.target import Target, as_file, hold
from fuzzing.texts import changed_lines, changed_toml, toml_of
from router_core.platform import Platform
from router_core.units import DAY_NS
from scenarios.change_texts import parse_change
from scenarios.changes import changed
from scenarios.topology import write_topology
from sim.brain_setting import read_setting, setting_of, stated, write_setting
from sim.fault_file import read_faults
from sim.studies.growth.price_list import read_prices
from strategies.dynamic.setting import DynamicSetting

COPIES_MAX = 100


@cache
def toy() -> Platform:
    """The small province that everything is held against."""
    return scenarios.load("toy")


def _scenario(data: bytes) -> Platform:
    platform = scenarios.load(str(as_file(data, "scenario.toml")))
    network = platform.network
    hold("a platform has endpoints", len(network.endpoints) > 0)
    hold("names are unique", len(set(network.node_name)) == len(network.node_name))
    hold("every station has a server", int(network.station_servers.min()) >= 1, network.station_servers.min())
    hold("a digest names the platform", re.fullmatch("[0-9a-f]{64}", platform.digest), platform.digest)
    return platform


def _scenario_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.toml"
        write_topology(
            path,
            "small",
            ["a", "b", "c"],
            [(114.0, 28.0), (115.0, 28.5), (116.0, 29.0)],
            [(0, 1), (1, 2)],
            [100.0, 1_000.0],
            "Small",
        )
        small = path.read_bytes()
    head = b'schema = 1\nname = "n"\ntitle_en = "N"\ntitle_zh = "N"\n'
    extended = (
        head
        + b'extends = "toy"\nchanges = ["demand x1.2", "lines:province_city x2"]\n[demand]\nexchanges_per_day = 3_000\n'
    )
    return [small, small + b'\nchanges = ["demand x2"]\n', extended, b"", head]


def _tables(name: str) -> dict[str, Any]:
    return tomllib.loads(files("scenarios").joinpath(f"{name}.toml").read_text("utf-8"))


def _levels() -> dict[str, Any]:
    """The province of its levels, with two cities of a county each."""
    tables = _tables("jiangxi")
    tables["cities"] = tables["cities"][:2]
    for city in tables["cities"]:
        city |= {"counties": city["counties"][:1], "units": 3, "front_ends": 3}
        city["counties"][0] |= {"units": 2, "front_ends": 2}
    tables["province"] |= {
        "units": 6,
        "direct_units": 2,
        "front_ends": 16,
        "inner_units": 1,
        "inner_front_ends": 1,
        "systems": 4,
    }
    tables["demand"]["types"] = [tables["demand"]["types"][0] | {"share": 1.0}]
    return tables


def _composed() -> dict[str, Any]:
    """Three copies of that province on a ring."""
    tables = _tables("national")
    tables |= {"template": "levels", "members": tables["members"][:3], "rings": tables["rings"][:1]}
    names = [member["name"] for member in tables["members"]]
    tables["rings"][0]["order"] = names
    tables["national"]["member"] = names[0]
    return tables


def _forms(data: bytes) -> object:
    """A scenario; beside it lies the province that one may be composed of."""
    as_file(_forms_seeds()[0], "levels")
    return _scenario(data)


@cache
def _forms_seeds() -> list[bytes]:
    toy_tables = _tables("toy")
    toy_tables["demand"]["types"] = [toy_tables["demand"]["types"][0] | {"share": 1.0}]
    return [toml_of(tables) for tables in (_levels(), _composed(), toy_tables)]


def _changes(data: bytes) -> object:
    """Every line is a change of the toy, as `--change` takes them."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")[:120]
    for line in lines:
        change = parse_change(line)
        again = parse_change(change.text)
        same = (again.what, again.factor, again.more) == (change.what, change.factor, change.more)
        hold("the text of a change says that change", same, change.text)
        if (change.more or 0) > COPIES_MAX:
            return change  # to make ten thousand counties takes its time, as was asked for
    return changed(toy(), lines)


def _changes_seeds() -> list[bytes]:
    return [
        b"demand x1.2\nothers x0.5",
        b"servers +2\npools x2\npool:east-cloud +3",
        b"counties +1",
        b"front-ends x2",
        b"front-ends +4",
        b"lines:province_city x2\nlines x0.1",
        b"demand:nightly_sync x3\nservers:city x0.1",
    ]


def _faults(data: bytes) -> object:
    found = read_faults(as_file(data, "faults.toml"), toy().network, DAY_NS)
    for fault in found:
        hold("a fault begins within the trace, before it ends", 0 <= fault.from_ns < min(fault.until_ns, DAY_NS), fault)
        hold("stations are the network's", all(0 <= one < toy().network.station_count for one in fault.stations), fault)
    return found


def _faults_seeds() -> list[bytes]:
    network = toy().network
    first = int((network.line_carrier >= 0).argmax())
    a, b = (network.node_name[int(ends[first])] for ends in (network.line_source, network.line_target))
    node = network.node_name[int(network.node_process_station.argmax())]
    carrier, cable = network.carriers[int(network.line_carrier[first])], int(network.line_cable[first])
    line = f'line = ["{a}", "{b}"]\ncarrier = "{carrier}"\ncable = {cable}\n'
    text = (
        f'schema = 1\n[[faults]]\nkind = "stop"\n{line}from = 60\nuntil = 120.5\n'
        f'[[faults]]\nkind = "slow"\nnode = "{node}"\nfrom = "00:01:00"\nuntil = 09:00:00\nfactor = 2.5\n'
        f'[[faults]]\nkind = "servers"\nnode = "{node}/process"\nfrom = 0\nservers = 1\n'
        f'[[faults]]\nkind = "pool"\npool = "{network.pools[0].name}"\nfrom = "01:00:00.5"\n'
    )
    return [text.encode(), b"schema = 1\n"]


def _setting(data: bytes) -> DynamicSetting:
    found = read_setting(as_file(data, "setting.toml"))
    again = as_file(b"", "setting-again.toml")
    write_setting(again, found)
    hold("what is written is what was read", read_setting(again) == found, found)
    hold("so are its stated parameters", setting_of(stated(found)) == found, found)
    return found


def _setting_seeds() -> list[bytes]:
    path = as_file(b"", "setting-seed.toml")
    write_setting(path, DynamicSetting(), ("a comment",))
    return [path.read_bytes(), b"schema = 1\n[dynamic]\n", b"schema = 1\n[dynamic]\nprobe_s = 30.5\n"]


def _prices(data: bytes) -> object:
    found = read_prices(as_file(data, "prices.toml"))
    hold("rates rise", list(found.rates_mbps) == sorted(set(found.rates_mbps)), found.rates_mbps)
    hold("a price is asked for every class", len(found.classes(100.0)) <= 4)
    return found


def _prices_seeds() -> list[bytes]:
    servers = "".join(f"{name} = 3.5\n" for name in read_prices(as_file(b"", "prices.toml")).servers)
    whole = "[lines]\nrates_mbps = [10, 100.0, 1000]\nprices = [1.0, 2.0, 3.0]\nstep = 0.5\n[servers]\n" + servers
    return [whole.encode(), b"[servers]\n"]


TARGETS = (
    Target("scenario", "a scenario file, `scenarios.load`", _scenario, _scenario_seeds, changed_toml, cost=4.0),
    Target(
        "scenario-forms",
        "scenarios of levels and composed of others, `scenarios.load`",
        _forms,
        _forms_seeds,
        changed_toml,
        cost=12.0,
    ),
    Target(
        "changes",
        "changes of a scenario, `scenarios.load(name, changes)`",
        _changes,
        _changes_seeds,
        changed_lines,
        cost=2.0,
    ),
    Target("faults", "a fault file, `sim.fault_file.read_faults`", _faults, _faults_seeds, changed_toml, cost=0.3),
    Target(
        "setting", "a setting file, `sim.brain_setting.read_setting`", _setting, _setting_seeds, changed_toml, cost=0.3
    ),
    Target(
        "prices",
        "a price list of `grow`, `sim.studies.growth.price_list.read_prices`",
        _prices,
        _prices_seeds,
        changed_toml,
        cost=0.2,
    ),
)
