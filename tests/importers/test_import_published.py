"""Published data, where it is at hand: the numbers of the importers against the arrays that came with it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from traces.importers import import_files, read_topology
from traces.matrices import read_series, write_series


def files(folder, pattern):
    found = sorted(folder.glob(pattern))
    if not found:
        pytest.skip(f"no {pattern} in {folder}")
    return found


def test_sndlib_files_agree_with_the_series_of_the_same_times(published, tmp_path):
    result = import_files(files(published / "abilene" / "sndlib_xml", "*.xml"))
    whole = read_series(files(published / "abilene", "*.npz")[0])
    assert result.quarantined == ()
    assert result.interval_s == 300
    assert (result.topology.node_count, len(result.topology.lines), result.topology.directed) == (12, 15, False)
    assert result.topology.node_names == whole.nodes
    assert result.topology.located

    def cables(series):
        return sorted(
            (min(a, b), max(a, b), rate)
            for (a, b), rate in zip(series.links.tolist(), series.capacity_mbps, strict=True)
        )

    assert cables(result.series) == cables(whole)
    assert len(result.series) == 6
    rows = np.searchsorted(whole.t_utc, result.series.t_utc)
    assert np.array_equal(whole.t_utc[rows], result.series.t_utc)
    # The arrays are single precision, the files decimal.
    assert np.array_equal(result.series.demand_mbps.astype(np.float32), whole.demand_mbps[rows].astype(np.float32))
    write_series(tmp_path / "s.npz", result.series)
    assert np.array_equal(read_series(tmp_path / "s.npz").demand_mbps, result.series.demand_mbps)


def test_totem_files_agree_with_the_series_and_the_corrupt_ones_are_set_aside(published):
    lines = files(published / "geant", "*.npz")[0]
    paths = files(published / "geant" / "totem_xml", "*.xml")
    result = import_files(paths, topology=lines)
    whole = read_series(lines)
    reasons = {name.rsplit("IntraTM-", 1)[-1]: reason for name, reason in result.quarantined}
    assert set(reasons) == {"2005-01-24-02-30.xml", "2005-01-24-02-45.xml"}
    assert "empty" in reasons["2005-01-24-02-30.xml"]
    assert "times what the two nodes' lines carry" in reasons["2005-01-24-02-45.xml"]
    assert len(result.series) == len(paths) - 2
    assert result.interval_s == 900
    assert (result.topology.node_count, len(result.topology.lines), result.topology.directed) == (23, 74, True)
    assert len(result.topology.cables().lines) == 37
    rows = np.searchsorted(whole.t_utc, result.series.t_utc)
    assert np.array_equal(whole.t_utc[rows], result.series.t_utc)
    assert np.allclose(result.series.demand_mbps, whole.demand_mbps[rows], rtol=1e-6, atol=1e-9)


def test_no_matrix_of_a_series_that_was_cleaned_by_its_publisher_is_absurd(published):
    from traces.importers.screen import against_lines, against_series  # noqa: PLC0415 - only where the data is

    for name in ("abilene", "geant"):
        path = files(published / name, "*.npz")[0]
        series, topology = read_series(path), read_topology(path)
        assert not any(against_lines(matrix, topology, 10.0) for matrix in series.demand_mbps[::7])
        assert not against_series(np.trace(series.demand_mbps, axis1=1, axis2=2)).any()


def test_all_repetita_networks_have_the_counts_of_their_headers(published):
    graphs = files(published / "repetita", "*.graph")
    assert len(graphs) == 11
    parallel = 0
    for graph in graphs:
        demands = files(published / "repetita", f"{graph.stem}.*.demands")
        result = import_files([graph, *demands])
        nodes, edges = (int(re.search(rf"^{title} (\d+)", graph.read_text(), re.M)[1]) for title in ("NODES", "EDGES"))
        assert result.quarantined == ()
        assert (result.topology.node_count, len(result.topology.lines)) == (nodes, edges)
        assert 40 <= nodes <= 68
        assert len(result.topology.cables().lines) == edges // 2
        parallel += edges - len({tuple(line) for line in result.topology.lines.tolist()})
        for matrix, path in zip(result.series.demand_mbps, demands, strict=True):
            rows = [line.split() for line in path.read_text().splitlines()[2:]]
            assert int(path.read_text().split()[1]) == len(rows)
            assert matrix.sum() == pytest.approx(sum(float(row[3]) for row in rows) / 1000, rel=1e-12)
            assert matrix[int(rows[5][1]), int(rows[5][2])] == pytest.approx(float(rows[5][3]) / 1000)
    assert parallel > 0
