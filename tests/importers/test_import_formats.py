"""Each format: what a twin says is what is imported, and what breaks a rule is refused with its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from importer_twins import Folder, Twin, repetita_demands, repetita_graph, sndlib, totem, totem_domain

from router_core.errors import BadInputError
from traces.importers import Options, import_files
from traces.matrices import read_series, write_series


def both_ways(twin: Twin) -> list[tuple[int, int, float]]:
    """Directed lines of the twin, as TOTEM's and REPETITA's twins write them."""
    pairs = zip(twin.lines, twin.rates, strict=True)
    return [way for (a, b), rate in pairs for way in ((a, b, rate), (b, a, rate))]


def lines_of(topology) -> list[tuple[int, int, float]]:
    return [(int(a), int(b), float(rate)) for (a, b), rate in zip(topology.lines, topology.rate_mbps, strict=True)]


def npz_lines(folder: Folder, twin: Twin, **more: np.ndarray) -> str:
    path = folder.path / "lines.npz"
    np.savez(path, links_undirected=np.array(twin.lines), capacity_mbps=np.array(twin.rates), **more)
    return str(path)


# SNDlib


def test_sndlib_topology_and_matrices_are_those_of_the_twin(folder, twin):
    first, second = twin.demand(1), twin.demand(2)
    paths = [
        folder.put("later.xml", sndlib(twin, second, time="20240301-0605")),
        folder.put("net.xml", sndlib(twin, None, links=True)),
        folder.put("sooner.xml", sndlib(twin, first, time="20240301-0600")),
    ]
    result = import_files(paths)
    assert (result.file_format, result.quarantined, result.interval_s) == ("sndlib", (), 300)
    assert result.topology.name == "net"
    assert list(result.topology.node_names) == twin.names
    assert result.topology.xy.tolist() == [list(place) for place in twin.xy]
    assert result.topology.located
    assert not result.topology.directed
    assert lines_of(result.topology) == [(a, b, rate) for (a, b), rate in zip(twin.lines, twin.rates, strict=True)]
    assert result.series.t_utc.astype(str).tolist() == ["2024-03-01T06:00:00", "2024-03-01T06:05:00"]
    assert np.array_equal(result.series.demand_mbps, np.stack((first, second)))
    assert result.series.nodes == result.topology.node_names


def test_the_imported_series_survives_its_file(folder, twin):
    paths = [folder.put("net.xml", sndlib(twin, None, links=True)), folder.put("d.xml", sndlib(twin, twin.demand()))]
    series = import_files(paths).series
    write_series(folder.path / "s.npz", series)
    again = read_series(folder.path / "s.npz")
    assert np.array_equal(again.demand_mbps, series.demand_mbps)
    assert again.nodes == series.nodes
    assert np.array_equal(again.t_utc, series.t_utc)


@pytest.mark.parametrize(
    ("time", "begin"),
    [
        ("2024", "2024-01-01T00:00:00"),
        ("202402", "2024-02-01T00:00:00"),
        ("20240229", "2024-02-29T00:00:00"),
        ("20240229-2355", "2024-02-29T23:55:00"),
        ("2024-02-29T23:55:00+08:00", "2024-02-29T15:55:00"),
    ],
)
def test_sndlib_times(folder, twin, time, begin):
    net = folder.put("net.xml", sndlib(twin, None, links=True))
    result = import_files([net, folder.put("d.xml", sndlib(twin, twin.demand(), time=time))])
    assert str(result.series.t_utc[0]) == begin


@pytest.mark.parametrize(
    ("unit", "factor"), [("BITPERSEC", 1e-6), ("KBITPERSEC", 1e-3), ("MBITPERSEC", 1.0), ("GBITPERSEC", 1e3)]
)
def test_sndlib_units(folder, twin, unit, factor):
    small = Twin(rates=[rate / factor for rate in twin.rates])
    net = folder.put("net.xml", sndlib(small, None, links=True, unit=unit))
    result = import_files([net, folder.put("d.xml", sndlib(small, twin.demand() / factor, unit=unit))])
    assert np.allclose(result.series.demand_mbps[0], twin.demand(), rtol=1e-12)
    assert np.allclose(result.topology.rate_mbps, twin.rates, rtol=1e-12)


def test_a_missing_unit_is_asked_for_and_taken_from_the_options(folder, twin):
    net = folder.put("net.xml", sndlib(twin, twin.demand(), links=True, unit=None))
    with pytest.raises(BadInputError, match=r"meta\.unit"):
        import_files([net])
    result = import_files([net], options=Options(unit="gbps"))
    assert np.allclose(result.topology.rate_mbps, np.array(twin.rates) * 1000)


def test_a_link_without_installed_capacity_takes_its_largest_module_and_says_so(folder, twin):
    text = sndlib(twin, twin.demand(), links=True, installed=False, modules=(622.0, 40_000.0, 155.0))
    result = import_files([folder.put("net.xml", text)])
    assert result.topology.rate_mbps.tolist() == [40_000.0] * 5
    assert any("5 of 5 links" in note for note in result.notes)
    with pytest.raises(BadInputError, match=r"net\.xml: link\[0\] L0: must have an installed capacity"):
        import_files([folder.put("net.xml", sndlib(twin, None, links=True, installed=False))])


def test_modules_do_not_add_to_an_installed_capacity(folder, twin):
    result = import_files([folder.put("net.xml", sndlib(twin, None, links=True, modules=(40_000.0,)))])
    assert result.topology.rate_mbps.tolist() == twin.rates
    assert result.series is None


def test_a_design_target_gives_way_to_other_matrices_and_says_so(folder, twin):
    target = twin.demand(5) * 1e5
    net = folder.put("net.xml", sndlib(twin, target, links=True, modules=(40_000.0,), time="2024"))
    alone = import_files([net])
    assert np.array_equal(alone.series.demand_mbps[0], target), "what is yet to be built does not bound a target"
    final = folder.put("final.xml", sndlib(twin, target, links=True, time="2024"))
    with pytest.raises(BadInputError, match="times what the two nodes' lines carry"):
        import_files([final])
    result = import_files([net, folder.put("d.xml", sndlib(twin, twin.demand()))])
    assert np.array_equal(result.series.demand_mbps, twin.demand()[None])
    assert any("design target" in note for note in result.notes)


def test_demands_of_one_pair_add_up_and_take_their_routing_unit(folder, twin):
    ends = "<source>North</source><target>East</target>"
    one = f'<demand id="x">{ends}<routingUnit>2</routingUnit><demandValue>3.5</demandValue></demand>'
    text = sndlib(twin, None, links=True).replace("</demands>", one + one + "</demands>")
    assert import_files([folder.put("net.xml", text)]).series.demand_mbps[0, 0, 1] == 14.0


def test_pixel_coordinates_become_a_drawing(folder, twin):
    pixels = Twin(xy=[(0, 0), (800, 0), (800, 400), (0, 400)])
    topology = import_files([folder.put("n.xml", sndlib(pixels, None, links=True, coordinates="pixel"))]).topology
    assert not topology.located
    width, height = np.ptp(topology.xy, axis=0)
    assert width == pytest.approx(2 * height)
    assert np.abs(topology.xy).max() <= 10


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('node id="East"', 'node id="North"', "unique"),
        ('node id="East"', 'node id=""', "attribute id"),
        ("<source>North</source>", "<source>Nowhere</source>", "must be a node"),
        ("<source>North</source>", "", "must have a <source>"),
        ("<capacity>1000.0</capacity>", "<capacity>-1</capacity>", "negative"),
        ("<capacity>1000.0</capacity>", "<capacity>nan</capacity>", "finite"),
        ("<capacity>1000.0</capacity>", "<capacity>much</capacity>", "decimal number"),
        ("<capacity>1000.0</capacity>", "<capacity>0</capacity>", "must have an installed capacity"),
        ("<x>10.0</x>", "<x>inf</x>", "finite"),
        ("<x>10.0</x>", "<x>1000</x>", "longitude"),
        ("<target>East</target>", "<target>North</target>", "two different nodes"),
        ("MBITPERSEC", "PACKETS", "MBITPERSEC"),
    ],
)
def test_a_broken_sndlib_topology_is_an_error_that_names_the_file(folder, twin, old, new, expected):
    text = sndlib(twin, None, links=True)
    assert old in text
    path = folder.put("net.xml", text.replace(old, new, 1))
    with pytest.raises(BadInputError, match=r"net\.xml: ") as caught:
        import_files([path])
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


# TOTEM


def test_totem_matrix_over_its_domain(folder, twin):
    domain = folder.put("dom.xml", totem_domain(twin))
    matrix = twin.demand() + np.diag([1.0, 0, 0, 2.0])
    result = import_files([folder.put("m.xml", totem(matrix, ids=twin.names)), domain])
    assert (result.file_format, result.quarantined, result.interval_s) == ("totem", (), 900)
    assert lines_of(result.topology) == both_ways(twin)
    assert result.topology.located
    assert str(result.series.t_utc[0]) == "2024-03-01T06:00:00"
    assert np.allclose(result.series.demand_mbps[0], matrix, rtol=1e-12)
    assert any("stays at its node" in note for note in result.notes)
    assert any("seconds" in note for note in result.notes)


@pytest.mark.parametrize("first", [0, 1])
def test_totem_numbers_find_their_nodes(folder, twin, first):
    paths = [npz_lines(folder, twin), folder.put("m.xml", totem(twin.demand(), first=first))]
    result = import_files(paths)
    assert np.allclose(result.series.demand_mbps[0], twin.demand())
    assert import_files([paths[1]], topology=paths[0]).topology.same_lines(result.topology)


def test_totem_numbers_that_fit_twice_or_never_are_asked_for(folder, twin):
    lines = npz_lines(folder, twin)
    inner = twin.demand()
    inner[[0, 3]], inner[:, [0, 3]] = 0, 0
    path = folder.put(
        "m.xml", totem(inner, first=0).replace('<src id="0"></src>', "").replace('<src id="3"></src>', "")
    )
    with pytest.raises(BadInputError, match="first_node_id"):
        import_files([path, lines])
    assert np.allclose(import_files([path, lines], options=Options(first_node_id=0)).series.demand_mbps[0], inner)
    shifted = folder.put("m.xml", totem(twin.demand(), first=100))
    with pytest.raises(BadInputError, match="first_node_id"):
        import_files([shifted, lines])
    result = import_files([shifted, lines], options=Options(first_node_id=100))
    assert np.allclose(result.series.demand_mbps[0], twin.demand())


def test_names_are_names_even_where_they_are_numbers(folder, twin):
    lines = npz_lines(folder, twin, nodes=np.array(["4", "3", "2", "1"]))
    path = folder.put("m.xml", totem(twin.demand()))
    assert np.allclose(import_files([path, lines]).series.demand_mbps[0], twin.demand()[::-1, ::-1])


@pytest.mark.parametrize(
    ("unit", "factor"), [("bps", 1e-6), ("kbps", 1e-3), ("mbps", 1.0), ("gbps", 1e3), ("tbps", 1e6)]
)
def test_totem_units(folder, twin, unit, factor):
    matrix = np.full((4, 4), 200.0)
    text = totem(matrix / factor / 1000, unit=unit)
    assert np.allclose(import_files([folder.put("m.xml", text), npz_lines(folder, twin)]).series.demand_mbps, 200.0)


def test_what_is_down_or_leaves_a_totem_domain_is_left_out_and_told(folder, twin):
    extra = (
        '<link id="down"><status>DOWN</status><from node="North"/><to node="South"/><bw>1</bw></link>'
        '<link id="away"><type>INTER</type><from node="North"/><to as="7" node="x"/><bw>1</bw></link>'
    )
    result = import_files([folder.put("dom.xml", totem_domain(twin, extra=extra, located=False))])
    assert lines_of(result.topology) == both_ways(twin)
    assert any("down" in note and "away" in note for note in result.notes)
    assert not result.topology.located
    assert any("circle" in note for note in result.notes)


# REPETITA


def test_repetita_graph_and_demands(folder, twin):
    graph = folder.put("net.graph", repetita_graph(twin))
    demands = [folder.put(f"net.{k}.demands", repetita_demands(twin.demand(k))) for k in (3, 4)]
    options = Options(start=np.datetime64("2024-01-01T00:00:00", "s"), interval_s=60)
    result = import_files([*demands, graph], options=options)
    assert (result.file_format, result.quarantined, result.interval_s) == ("repetita", (), 60)
    assert list(result.topology.node_names) == twin.names
    assert lines_of(result.topology) == both_ways(twin)
    assert result.topology.metric.tolist() == [3, 3, 4, 4, 5, 5, 6, 6, 7, 7]
    assert result.series.t_utc.astype(str).tolist() == ["2024-01-01T00:00:00", "2024-01-01T00:01:00"]
    assert np.allclose(result.series.demand_mbps, np.stack((twin.demand(3), twin.demand(4))), rtol=1e-12)
    assert any("stated" in note for note in result.notes)


def test_invented_times_are_told_and_do_not_depend_on_what_is_set_aside(folder, twin):
    graph = folder.put("net.graph", repetita_graph(twin))
    good = folder.put("b.demands", repetita_demands(twin.demand()))
    empty = folder.put("a.demands", "")
    result = import_files([graph, empty, good])
    assert result.series.t_utc.astype(str).tolist() == ["1970-01-01T01:00:00"]
    assert any("assumed" in note and "1970-01-01" in note for note in result.notes)
    assert [name for name, _ in result.quarantined] == [str(empty)]


def test_the_interval_is_the_stated_one_else_the_files_else_the_step_of_invented_times(folder, twin):
    net = folder.put("net.xml", sndlib(twin, None, links=True))
    five = folder.put("a.xml", sndlib(twin, twin.demand(), granularity="5min"))
    hour = folder.put("b.xml", sndlib(twin, twin.demand(), granularity="1hour", time="20240302-0000"))
    month = folder.put("c.xml", sndlib(twin, twin.demand(), granularity="1month"))
    assert import_files([net, hour]).interval_s == 3600
    assert import_files([net, month]).interval_s is None
    assert import_files([net, five], options=Options(interval_s=60)).interval_s == 60
    mixed = import_files([net, five, hour])
    assert mixed.interval_s is None
    assert any("different lengths" in note for note in mixed.notes)
    graph = folder.put("n.graph", repetita_graph(twin))
    assert import_files([graph, folder.put("n.demands", repetita_demands(twin.demand()))]).interval_s == 3600


def test_repetita_nodes_are_positions_even_where_labels_are_numbers(folder):
    twin = Twin(names=["3", "2", "1", "0"])
    paths = [folder.put("n.graph", repetita_graph(twin)), folder.put("n.demands", repetita_demands(twin.demand()))]
    assert np.allclose(import_files(paths).series.demand_mbps[0], twin.demand())


def test_repetita_demands_of_one_pair_add_up(folder, twin):
    text = "DEMANDS 2\nlabel src dest bw\nd0 0 1 1500\nd1 0 1 2500\n"
    paths = [folder.put("n.graph", repetita_graph(twin)), folder.put("n.demands", text)]
    assert import_files(paths).series.demand_mbps[0, 0, 1] == 4.0


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("NODES 4", "NODES 5", "line 1: states 5 nodes"),
        ("NODES 4", "NODES four", "line 1: must be a whole number"),
        ("NODES 4", "NODES -4", "line 1: must be a whole number"),
        ("NODES 4", "NODES", "line 1: must be NODES and their number"),
        ("label x y", "label y x", "line 2: must name the fields"),
        ("EDGES 10", "EDGES 9", "line 8: states 9 edges"),
        ("EDGES 10", "LINKS 10", "must be EDGES"),
        ("edge_0 0 1", "edge_0 0 4", "edge_0.dest: must be a whole number in 0..3"),
        ("edge_0 0 1", "edge_0 0 0", "two different nodes"),
        ("edge_0 0 1 3 1000000", "edge_0 0 1 3 0", "positive"),
        ("edge_0 0 1 3 1000000", "edge_0 0 1 3 -5", "negative"),
        ("edge_0 0 1 3 1000000", "edge_0 0 1 -3 1000000", "metric[0]: must not be negative"),
        ("edge_0 0 1 3 1000000", "edge_0 0 1 3 1_000", "decimal number"),
        ("edge_0 0 1 3", "edge_0 0 1", "must have the 6 fields"),
        ("North 10.0", "North 10.0 9", "must have the 3 fields"),
        ("North 10.0", "North nan", "finite"),
        ("North", "East", "unique"),
    ],
)
def test_a_broken_repetita_graph_is_an_error_that_names_file_and_line(folder, twin, old, new, expected):
    text = repetita_graph(twin)
    assert old in text
    with pytest.raises(BadInputError, match=r"net\.graph: ") as caught:
        import_files([folder.put("net.graph", text.replace(old, new, 1))])
    assert expected in str(caught.value)


def test_nothing_may_follow_the_last_section(folder, twin):
    with pytest.raises(BadInputError, match="nothing may follow"):
        import_files([folder.put("net.graph", repetita_graph(twin) + "\nMORE 1\n")])


# What a scenario takes


def test_directed_lines_pair_into_cables_and_parallel_ones_stay(folder, twin):
    topology = import_files([folder.put("net.graph", repetita_graph(twin))]).topology
    cables = topology.cables()
    assert not cables.directed
    assert sorted(lines_of(cables)) == sorted((a, b, rate) for (a, b), rate in zip(twin.lines, twin.rates, strict=True))
    assert cables.cables() is cables


def test_a_line_without_a_partner_is_no_cable(folder, twin):
    topology = import_files([folder.put("net.graph", repetita_graph(twin))]).topology
    with pytest.raises(BadInputError, match=r"North > East at 1000 Mbit/s"):
        replace(
            topology, lines=topology.lines[[0, 2, 3]], rate_mbps=topology.rate_mbps[[0, 2, 3]], metric=None
        ).cables()
