"""Disciplines, buffers, credits and transport reach the platform as integers, whichever form says them."""

import copy

import numpy as np
import pytest
from scenario_files import changed, tables_of, written

import scenarios
from router_core.network import NO_LIMIT
from router_core.transport import WHOLE, Transport
from router_core.vocabulary import Discipline, NodeKind

TOY, JIANGXI = tables_of("toy"), tables_of("jiangxi")
SERVING = {"discipline": "priority", "buffer_mb": 2.5, "spill": {"fixed_us": 3.0, "rate_mbps": 1_000.0}}
CREDIT = {"mb": 12.5, "return_ms": 4.0}
TRANSPORT = {"chunk_mb": 0.5, "retries": 7, "backoff_s": 0.25, "backoff_max_s": 2.0}


def served(network, station):
    """Discipline, buffer and spill of a station."""
    return (
        Discipline(network.station_discipline[station]),
        int(network.station_buffer_bytes[station]),
        int(network.station_spill_fixed_ns[station]),
        int(network.station_spill_ps_per_byte[station]),
    )


EXPECTED = (Discipline.PRIORITY, 2_500_000, 3_000, 8_000)
PLAIN = (Discipline.FIFO, NO_LIMIT, 0, 0)


def explicit():
    tables = copy.deepcopy(TOY)
    tables["nodes"][0]["process"].update(SERVING)
    tables["lines"][3].update(SERVING)
    tables["lines"][4]["discipline"] = "sharing"
    front_end = next(node for node in tables["nodes"] if node["kind"] == "front_end")
    front_end["credit"] = CREDIT
    tables["transport"] = TRANSPORT
    return tables, front_end["name"]


def test_the_explicit_form_says_it_station_by_station(tmp_path):
    tables, front_end = explicit()
    platform = scenarios.load(written(tmp_path, tables))
    network = platform.network
    assert served(network, network.node_process_station[0]) == EXPECTED
    assert served(network, network.node_station[0]) == PLAIN
    assert [served(network, network.line_station[line]) for line in (6, 7)] == [EXPECTED] * 2, "both directions"
    assert served(network, network.line_station[8])[0] == Discipline.SHARING
    node = network.node_index[front_end]
    limited = np.flatnonzero(network.node_credit_bytes != NO_LIMIT)
    assert limited.tolist() == [node]
    assert (network.node_credit_bytes[node], network.node_credit_return_ns[node]) == (12_500_000, 4_000_000)
    assert platform.transport == Transport(500_000, 7, 250_000_000, 2_000_000_000)


def test_the_levels_form_says_it_by_kind(tmp_path):
    tables = copy.deepcopy(JIANGXI)
    tables["services"]["centre_process"]["city"].update(SERVING)
    tables["services"]["front_end"]["credit"] = CREDIT
    del tables["services"]["external"]["credit"]
    tables["lines"]["city_county"].update(SERVING)
    tables["transport"] = TRANSPORT
    platform = scenarios.load(written(tmp_path, tables))
    network = platform.network
    nanchang = network.node_index["nanchang"]
    assert served(network, network.node_process_station[nanchang]) == EXPECTED
    ends = {network.node_index["nanchang-a"], network.node_index["anyi-a"]}
    lines = [
        line
        for line in range(network.line_count)
        if {int(network.line_source[line]), int(network.line_target[line])} == ends
    ]
    assert len(lines) == 2
    assert {served(network, network.line_station[line]) for line in lines} == {EXPECTED}
    assert set(network.node_credit_bytes[network.nodes_of(NodeKind.FRONT_END)].tolist()) == {12_500_000}
    assert network.node_credit_bytes[network.nodes_of(NodeKind.EXTERNAL)].tolist() == [NO_LIMIT]
    assert platform.transport.chunk_bytes == 500_000


def test_a_composition_has_its_templates(tmp_path):
    tables, front_end = explicit()
    written(tmp_path, tables, "small.toml")
    national = changed(tables_of("national"), ("template",), "small.toml")
    national["national"]["service"]["credit"] = {"mb": 1.0, "return_ms": 1.0}
    platform = scenarios.load(written(tmp_path, national))
    network = platform.network
    assert platform.transport == Transport(500_000, 7, 250_000_000, 2_000_000_000)
    for member in ("beijing", "xinjiang"):
        assert served(network, network.node_process_station[network.node_index[f"{member}.province"]]) == EXPECTED
        node = network.node_index[f"{member}.{front_end}"]
        assert (network.node_credit_bytes[node], network.node_credit_return_ns[node]) == (12_500_000, 4_000_000)
    assert int((network.node_credit_bytes != NO_LIMIT).sum()) == 31 + 1
    assert network.node_credit_bytes[network.node_index["national-platform"]] == 1_000_000
    rings = network.line_station[network.line_carrier >= len(TOY["carriers"])]
    assert set(network.station_discipline[rings].tolist()) == {Discipline.SHARING}


def test_what_a_file_leaves_out_is_plain(tmp_path):
    toy = scenarios.load(written(tmp_path, TOY))
    assert {served(toy.network, station) for station in range(toy.network.station_count)} == {PLAIN}
    assert (toy.network.node_credit_bytes == NO_LIMIT).all()
    assert toy.transport == Transport()
    assert toy.transport.chunk_bytes == WHOLE


@pytest.mark.parametrize("change", [{"retries": 8}, {"backoff_s": 0.5}, {"backoff_max_s": 3.0}, {"chunk_mb": 1.0}])
def test_the_digest_knows_the_transport(tmp_path, change):
    one, other = ({**TOY, "transport": TRANSPORT | more} for more in ({}, change))
    digests = [scenarios.load(written(tmp_path, tables)).digest for tables in (one, other)]
    assert digests[0] != digests[1]


def test_a_chunk_on_a_line_between_places_leaves_room_for_a_query():
    """What the comment in jiangxi.toml says: half a second to a city, two thirds to a county, other users aside."""
    platform = scenarios.load("jiangxi")
    network, chunk = platform.network, platform.transport.chunk_bytes
    carried = network.line_station[network.line_carrier >= 0]
    assert set(network.station_discipline[carried].tolist()) == {Discipline.PRIORITY}
    seconds = chunk * network.station_ps_per_byte[carried] * 1e-12
    assert sorted({round(value, 2) for value in seconds.tolist()}) == [0.41, 0.64]
