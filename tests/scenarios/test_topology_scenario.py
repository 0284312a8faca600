"""A plain topology survives the way into a scenario file and back."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scenarios
from router_core.errors import BadInputError
from router_core.units import mbps
from router_core.vocabulary import NodeKind

NAMES = ["Wien", "Graz", "Linz am Rhein", "Bad 'Ischl' \"x\" \\ #1"]
XY = [(16.37, 48.21), (15.44, 47.07), (14.29, 48.31), (13.62, 47.71)]
LINES = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 1), (1, 0)]
RATES = [155.0, 622.0, 2_488.0, 9_953.28, 100.0, 10.5]


def long_lines(platform):
    """(a, b, rate) of each physical line between sites, ends as node numbers of the plain topology."""
    network = platform.network
    found = []
    for line in range(0, network.line_count, 2):
        if network.line_carrier[line] >= 0:
            ends = [int(network.node_site[node[line]]) for node in (network.line_source, network.line_target)]
            found.append((*ends, mbps(int(network.station_ps_per_byte[network.line_station[line]]))))
    return found


def test_lines_come_back_with_their_parallels(tmp_path):
    path = tmp_path / "net.toml"
    scenarios.write_topology(path, "net", NAMES, XY, LINES, RATES, "A net")
    platform = scenarios.load(str(path))
    found = long_lines(platform)
    assert [item[:2] for item in found] == LINES
    for (_, _, rate), wanted in zip(found, RATES, strict=True):
        assert rate <= wanted
        assert rate == pytest.approx(wanted, rel=1e-2)
    assert platform.name == "net"
    assert (platform.title_en, platform.title_zh) == ("A net", "A net")


def test_each_node_has_a_router_a_centre_and_a_front_end(tmp_path):
    path = tmp_path / "net.toml"
    scenarios.write_topology(path, "net", NAMES, XY, LINES, RATES, "A net")
    platform = scenarios.load(str(path))
    network, catalogue = platform.network, platform.catalogue
    for site, name in enumerate(NAMES):
        at = network.node_site == site
        assert sorted(network.node_kind[at]) == [NodeKind.FRONT_END, NodeKind.CENTRE, NodeKind.ROUTER]
        front_end = network.node_index[name]
        assert network.homes[front_end] == (network.node_index[f"{name}.centre"],)
        assert catalogue.unit_name[catalogue.node_unit[front_end]] == name
        assert tuple(network.node_xy[front_end]) == pytest.approx(XY[site])
    # Anyone may send to anyone.
    every = np.array([network.node_index[name] for name in NAMES])
    source, target = np.repeat(every, 4), np.tile(every, 4)
    resource = np.repeat(np.arange(4), 4)
    verdict = catalogue.verdict(network, source, target, resource)
    assert (verdict[source != target] == 0).all()


def test_only_the_given_lines_bind(tmp_path):
    path = tmp_path / "net.toml"
    scenarios.write_topology(path, "net", NAMES, XY, LINES, RATES, "A net")
    network = scenarios.load(str(path)).network
    carried = network.line_station[network.line_carrier >= 0]
    others = np.setdiff1d(np.arange(network.station_count), carried)
    assert network.station_ps_per_byte[others].max() * 100 < network.station_ps_per_byte[carried].min()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_connected_topology_comes_back(tmp_path, data):
    count = data.draw(st.integers(2, 8))
    printable = st.characters(exclude_categories=["C", "Z"])
    names = data.draw(
        st.lists(st.text(printable, min_size=1, max_size=12), min_size=count, max_size=count, unique=True)
    )
    plane = st.floats(-1e4, 1e4)
    xy = data.draw(st.lists(st.tuples(plane, plane), min_size=count, max_size=count))
    tree = [(data.draw(st.integers(0, node - 1)), node) for node in range(1, count)]
    pair = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda ends: ends[0] != ends[1])
    lines = tree + data.draw(st.lists(pair, max_size=6))
    rates = data.draw(st.lists(st.floats(1, 1e6), min_size=len(lines), max_size=len(lines)))
    path = tmp_path / "net.toml"
    clash = {f"{name}{suffix}" for name in names for suffix in (".router", ".centre")} & set(names)
    if clash:
        return
    scenarios.write_topology(path, "net", names, xy, lines, rates, "A net")
    platform = scenarios.load(str(path))
    assert [item[:2] for item in long_lines(platform)] == lines
    assert set(names) <= set(platform.network.node_name)


@pytest.mark.parametrize(
    ("change", "place", "rule"),
    [
        ({"xy": XY[:3]}, "xy", "must have 4 entries"),
        ({"rate_mbps": RATES[:3]}, "rate_mbps", "must have 6 entries"),
        ({"lines": [*LINES[:5], (1, 4)]}, "lines[5]", "must join nodes 0..3"),
        ({"lines": [*LINES[:5], (1, 1)]}, "lines[13]", "two different nodes"),
        ({"rate_mbps": [*RATES[:5], 0.0]}, "lines[13].rate_mbps", "greater than or equal to 1"),
        ({"rate_mbps": [*RATES[:5], float("nan")]}, "lines[13].rate_mbps", "finite"),
        ({"node_names": ["a", "b", "c", "a"]}, "units[3].name", "unique"),
        ({"node_names": ["a", "b", "c", "a.router"]}, "nodes[11].name", "unique"),
        ({"node_names": ["a", "b", "c", ""]}, "units[3].name", "at least 1 character"),
        ({"xy": [*XY[:3], (float("nan"), 0.0)]}, "nodes", ""),
        ({"lines": [(0, 1)] * 6}, "nodes", "joined to every other"),
        ({"node_names": [], "xy": [], "lines": [], "rate_mbps": []}, "units", "at least 1 item"),
    ],
)
def test_a_bad_topology_is_refused_and_leaves_no_file(tmp_path, change, place, rule):
    says = {"node_names": NAMES, "xy": XY, "lines": LINES, "rate_mbps": RATES, **change}
    path = tmp_path / "net.toml"
    path.write_text("what was there before")
    with pytest.raises(BadInputError) as caught:
        scenarios.write_topology(path, "net", title="A net", **says)
    assert caught.value.place.startswith(place)
    assert rule in caught.value.rule
    assert caught.value.file in (str(path), None)
    assert path.read_text() == "what was there before"
    assert [item.name for item in tmp_path.iterdir()] == ["net.toml"]


@pytest.mark.parametrize("target", ["no/net.toml", "taken"])
def test_a_path_that_cannot_be_written_is_refused(tmp_path, target):
    (tmp_path / "taken").mkdir()
    with pytest.raises(BadInputError, match="must be writable"):
        scenarios.write_topology(tmp_path / target, "net", NAMES, XY, LINES, RATES, "A net")
    assert [item.name for item in tmp_path.iterdir()] == ["taken"]


def test_a_name_that_utf_8_cannot_hold_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="UTF-8"):
        scenarios.write_topology(tmp_path / "net.toml", "net", ["a\ud800", *NAMES[1:]], XY, LINES, RATES, "A net")
    assert list(tmp_path.iterdir()) == []
