"""Fault files: what they name, when it is struck, and what is refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scenarios
from router_core.errors import BadInputError
from router_core.network import NO_POOL, Network, Pool
from router_core.network_builder import NetworkBuilder, Service
from router_core.units import DAY_NS, HOUR_NS, SECOND_NS
from router_core.vocabulary import NodeKind
from sim.fault_file import read_faults
from sim.faults import NEVER_NS, Fault, FaultKind

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "fault-format.md"


@pytest.fixture(scope="module")
def network() -> Network:
    """Two centres joined by three cables of two carriers, a router and a front-end; two pools."""
    builder = NetworkBuilder(("outer",), ("red", "blue"), (Pool("near", "近云", 5, 1), Pool("far", "远云", 2, 1)))
    quick = Service(4, 1, 0)
    for name in ("hub", "edge"):
        builder.add_node(name, NodeKind.CENTRE, service=quick, process=Service(8, 1, 0))
    builder.add_node("mid", NodeKind.ROUTER, service=quick)
    builder.add_node("front", NodeKind.FRONT_END, service=quick)
    for a, b, carrier in (("hub", "edge", 0), ("edge", "hub", 1), ("hub", "edge", 1), ("hub", "mid", 0)):
        builder.add_line(builder.index(a), builder.index(b), service=Service(1, 1, 0), carrier=carrier)
    builder.add_line(builder.index("front"), builder.index("hub"), service=quick)
    return builder.build()


def read(tmp_path: Path, network: Network, text: str, head: str = "schema = 1\n") -> tuple[Fault, ...]:
    path = tmp_path / "faults.toml"
    path.write_text(head + text, encoding="utf-8")
    return read_faults(path, network, DAY_NS)


def fault(**keys: str) -> str:
    values = {"kind": '"stop"', "node": '"mid"', "from": "1", "until": "2"} | keys
    return "[[faults]]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value)


def names(network: Network, found: Fault) -> list[str]:
    return [network.station_name[station] for station in found.stations]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"node": '"mid"'}, ["mid"]),
        ({"node": '"hub"'}, ["hub", "hub/process"]),
        ({"node": '"hub/process"'}, ["hub/process"]),
        ({"node": '"front"'}, ["front"]),
        ({"line": '["mid", "hub"]'}, ["hub>mid@red#3", "mid>hub@red#3"]),
        ({"line": '["hub", "edge"]', "carrier": '"red"'}, ["hub>edge@red#0", "edge>hub@red#0"]),
        ({"line": '["hub", "edge"]', "cable": "2"}, ["hub>edge@blue#2", "edge>hub@blue#2"]),
        ({"line": '["hub", "edge"]', "carrier": '"blue"', "cable": "1"}, ["edge>hub@blue#1", "hub>edge@blue#1"]),
    ],
)
def test_what_a_fault_strikes(tmp_path, network, keys, expected):
    (found,) = read(tmp_path, network, fault(**({"node": ""} if "line" in keys else {}), **keys))
    assert names(network, found) == expected


@pytest.mark.parametrize(
    ("text", "instant_ns"),
    [
        ("0", 0),
        ("1.5", 1_500_000_000),
        ("0.1", 100_000_000),
        ('"00:00:00"', 0),
        ('"10:30:01"', 10 * HOUR_NS + 30 * 60 * SECOND_NS + SECOND_NS),
        ('"0:00:00.000000001"', 1),
        ("10:30:00.000001", 10 * HOUR_NS + 1_800 * SECOND_NS + 1_000),
    ],
)
def test_instants(tmp_path, network, text, instant_ns):
    (found,) = read(tmp_path, network, fault(**{"from": text, "until": ""}))
    assert (found.from_ns, found.until_ns) == (instant_ns, NEVER_NS)
    assert read(tmp_path, network, fault(**{"from": "0", "until": '"30:00:00"'}))[0].until_ns == 30 * HOUR_NS


def test_kinds_and_their_figures(tmp_path, network):
    text = fault() + fault(kind='"slow"', factor="2.5") + fault(kind='"servers"', servers="7", node='"hub"')
    text += fault(kind='"pool"', node="", pool='"far"')
    stop, slow, servers, pool = read(tmp_path, network, text)
    assert (stop.kind, slow.kind, servers.kind, pool.kind) == tuple(FaultKind)
    assert (pool.pool, pool.stations, stop.pool) == (1, (), NO_POOL)
    assert slow.factor == 2.5
    # Seven are fewer than the eight that process, and no fewer than the four that pass.
    assert servers.servers == 7


REFUSED = {
    "no kind": (fault(kind=""), "faults[0].kind", "missing"),
    "another kind": (fault(kind='"burn"'), "faults[0].kind", "must be 'stop', 'slow'"),
    "misspelt": (fault(form="5"), "faults[0].form", "unknown key"),
    "nothing struck": (fault(node=""), "faults[0].line", "a node or a line"),
    "both struck": (fault(line='["hub", "mid"]'), "faults[0].line", "a node or a line"),
    "unknown node": (fault(node='"moon"'), "faults[0].node", "must name a node"),
    "router that processes": (fault(node='"mid/process"'), "faults[0].node", "a centre followed by"),
    "one end": (fault(node="", line='["hub"]'), "faults[0].line", "at least 2"),
    "unknown end": (fault(node="", line='["hub", "moon"]'), "faults[0].line[1]", "must name a node"),
    "no line between": (fault(node="", line='["mid", "edge"]'), "faults[0].line", "that a line joins"),
    "which line": (fault(node="", line='["hub", "edge"]'), "faults[0].cable", "which cable, 0, 1, 2"),
    "still which": (fault(node="", line='["hub", "edge"]', carrier='"blue"'), "faults[0].cable", "cable, 1, 2"),
    "unknown carrier": (fault(node="", line='["hub", "edge"]', carrier='"green"'), "faults[0].carrier", "red, blue"),
    "carrier elsewhere": (fault(node="", line='["hub", "mid"]', carrier='"blue"'), "faults[0].carrier", "between the"),
    "cable elsewhere": (fault(node="", line='["hub", "edge"]', cable="3"), "faults[0].cable", "one of 0, 1, 2"),
    "carrier of a node": (fault(carrier='"red"'), "faults[0].carrier", "belongs to a line"),
    "no beginning": (fault(**{"from": ""}), "faults[0].from", "missing"),
    "before the start": (fault(**{"from": "-1"}), "faults[0].from", "seconds from the start"),
    "no instant": (fault(**{"from": '"noon"'}), "faults[0].from", "HH:MM:SS"),
    "sixty minutes": (fault(until='"00:60:00"'), "faults[0].until", "HH:MM:SS"),
    "true": (fault(until="true"), "faults[0].until", "HH:MM:SS"),
    "never a number": (fault(until="nan"), "faults[0].until", "HH:MM:SS"),
    "endless": (fault(until="inf"), "faults[0].until", "HH:MM:SS"),
    "after the trace": (fault(**{"from": '"24:00:00"', "until": ""}), "faults[0].from", "before the end of the trace"),
    "backwards": (fault(until="0.5"), "faults[0].until", "later than from"),
    "no time at all": (fault(until="1"), "faults[0].until", "later than from"),
    "slow without factor": (fault(kind='"slow"'), "faults[0].factor", "belongs to kind 'slow'"),
    "stop with factor": (fault(factor="2.0"), "faults[0].factor", "and to nothing else"),
    "faster": (fault(kind='"slow"', factor="0.5"), "faults[0].factor", "greater than or equal to 1"),
    "no servers": (fault(kind='"servers"'), "faults[0].servers", "belongs to kind 'servers'"),
    "none left": (fault(kind='"servers"', servers="0"), "faults[0].servers", "greater than or equal to 1"),
    "none lost": (fault(kind='"servers"', servers="4"), "faults[0].servers", "must be fewer than there are, 4"),
    "which pool": (fault(kind='"pool"', node=""), "faults[0].pool", "belongs to kind 'pool'"),
    "unknown pool": (fault(kind='"pool"', node="", pool='"moon"'), "faults[0].pool", "must be one of near, far"),
    "a pool that stops": (fault(node="", pool='"near"'), "faults[0].pool", "belongs to kind 'pool'"),
    "a pool at a node": (fault(kind='"pool"', pool='"near"'), "faults[0].node", "not to a pool"),
    "the second one": (fault() + fault(kind='"stop "'), "faults[1].kind", "must be"),
    "no toml": ("[[faults]\n", "line 2, column 9", "valid TOML"),
    "no list": ("faults = 5\n", "faults", "must be a valid list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(tmp_path, network, case):
    text, place, rule = REFUSED[case]
    with pytest.raises(BadInputError) as refused:
        read(tmp_path, network, text)
    assert (refused.value.place, refused.value.file) == (place, str(tmp_path / "faults.toml"))
    assert rule in refused.value.rule
    assert str(refused.value).startswith(f"{tmp_path / 'faults.toml'}: {place}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("head", ["", "schema = 2\n", 'schema = "1"\n'])
def test_the_version_is_checked(tmp_path, network, head):
    with pytest.raises(BadInputError) as refused:
        read(tmp_path, network, fault(), head)
    assert refused.value.place == "schema"


def test_a_file_that_cannot_be_read_is_refused(tmp_path, network):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(BadInputError) as refused:
            read_faults(path, network, DAY_NS)
        assert (refused.value.place, refused.value.file) == ("file", str(path))


def test_the_documented_example_is_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    network = scenarios.load("jiangxi").network
    found = read(tmp_path, network, example, head="")
    assert [one.kind for one in found] == list(FaultKind)
    assert [len(one.stations) for one in found] == [2, 1, 1, 0]
    assert [network.station_servers[one.stations[0]] for one in found[:3]] == [1, 4, 32], "as the comments say"


def test_every_key_is_documented():
    described = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    keys = {"kind", "node", "line", "carrier", "cable", "from", "until", "factor", "servers", "pool"}
    assert described == keys
