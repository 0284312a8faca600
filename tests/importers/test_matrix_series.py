from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from router_core.errors import BadInputError
from traces.importers import read_topology
from traces.matrices import Clock, MatrixSeries, read_series, write_series


def arrays(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "demand_mbps": np.arange(18, dtype=np.float32).reshape(2, 3, 3),
        "t_utc": np.array(["2024-01-01T00:00", "2024-01-01T00:05"], dtype="datetime64[s]"),
        "nodes": np.array(["a", "b", "c"]),
        "links": np.array([[0, 1], [1, 2], [0, 1]]),
        "capacity_mbps": np.array([10.0, 20.0, 10.0]),
    }
    base.update(changes)
    return {name: value for name, value in base.items() if value is not None}


def save(path: Path, content: dict[str, Any]) -> Path:
    with path.open("wb") as file:
        np.savez(file, **content)
    return path


def same(a: MatrixSeries, b: MatrixSeries) -> bool:
    return (
        np.array_equal(a.demand_mbps, b.demand_mbps)
        and np.array_equal(a.t_utc, b.t_utc)
        and a.nodes == b.nodes
        and np.array_equal(a.links, b.links)
        and a.directed == b.directed
        and np.array_equal(a.capacity_mbps, b.capacity_mbps)
        and (a.igp_metric is None) == (b.igp_metric is None)
        and (a.igp_metric is None or b.igp_metric is None or np.array_equal(a.igp_metric, b.igp_metric))
    )


@st.composite
def any_series(draw: st.DrawFn) -> MatrixSeries:
    count, length, lines = draw(st.integers(2, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 6))
    ends = st.lists(st.integers(0, count - 1), min_size=2, max_size=2, unique=True)
    steps = draw(st.lists(st.integers(1, 10**6), min_size=length, max_size=length))
    amounts = st.floats(0, 1e9, allow_subnormal=False)
    rates = hnp.arrays(np.float64, lines, elements=st.floats(1e-3, 1e9))
    return MatrixSeries(
        demand_mbps=draw(hnp.arrays(np.float64, (length, count, count), elements=amounts)),
        t_utc=np.cumsum(steps).astype("datetime64[s]"),
        nodes=tuple(
            draw(st.lists(st.text("abcd京-_.", min_size=1, max_size=9), min_size=count, max_size=count, unique=True))
        ),
        links=np.array(draw(st.lists(ends, min_size=lines, max_size=lines))),
        directed=draw(st.booleans()),
        capacity_mbps=draw(rates),
        igp_metric=draw(st.none() | rates),
    )


@settings(max_examples=40, deadline=None)
@given(any_series())
def test_what_is_written_is_read_and_the_same_series_gives_the_same_bytes(tmp_path_factory, series):
    folder = tmp_path_factory.mktemp("npz")
    write_series(folder / "a.npz", series)
    write_series(folder / "b.npz", series)
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()
    assert same(read_series(folder / "a.npz"), series)
    assert sorted(path.name for path in folder.iterdir()) == ["a.npz", "b.npz"]


def test_the_file_has_the_documented_arrays_for_any_reader(tmp_path):
    write_series(tmp_path / "s.npz", read_series(save(tmp_path / "in.npz", arrays())))
    with np.load(tmp_path / "s.npz", allow_pickle=False) as found:
        assert set(found.files) == {"demand_mbps", "t_utc", "nodes", "links", "capacity_mbps"}
        assert found["t_utc"].dtype == np.dtype("datetime64[s]")
        assert found["demand_mbps"].dtype == np.float64
        assert np.array_equal(found["demand_mbps"], arrays()["demand_mbps"])


def test_undirected_lines_keep_their_own_name_and_expand_into_both_directions(tmp_path):
    path = save(tmp_path / "s.npz", arrays(links=None, links_undirected=np.array([[0, 1], [1, 2], [0, 1]])))
    series = read_series(path)
    write_series(tmp_path / "again.npz", series)
    with np.load(tmp_path / "again.npz") as found:
        assert "links_undirected" in found.files
        assert "links" not in found.files
    ends, rates = series.directed_lines()
    assert [tuple(row) for row in ends] == [(0, 1), (1, 2), (0, 1), (1, 0), (2, 1), (1, 0)]
    assert rates.tolist() == [10, 20, 10, 10, 20, 10]


DEMAND = arrays()["demand_mbps"]


def changed(index: tuple[int, ...], value: float) -> np.ndarray:
    result = DEMAND.copy()
    result[index] = value
    return result


@pytest.mark.parametrize(
    ("changes", "place", "rule"),
    [
        ({"demand_mbps": None}, "demand_mbps or demand", "exactly one"),
        ({"demand": DEMAND}, "demand_mbps or demand", "exactly one"),
        ({"demand_mbps": changed((1, 2, 0), np.nan)}, "demand_mbps[1, 2, 0]", "finite"),
        ({"demand_mbps": changed((0, 0, 1), np.inf)}, "demand_mbps[0, 0, 1]", "finite"),
        ({"demand_mbps": changed((1, 0, 1), -1)}, "demand_mbps[1, 0, 1]", "negative"),
        ({"demand_mbps": DEMAND[0]}, "demand_mbps", "3 dimensions"),
        ({"demand_mbps": DEMAND[:, :2]}, "demand_mbps", "(T, n, n)"),
        ({"demand_mbps": DEMAND[:0]}, "demand_mbps", "at least 1"),
        ({"demand_mbps": DEMAND.astype(complex)}, "demand_mbps", "real numbers"),
        ({"demand_mbps": DEMAND > 1}, "demand_mbps", "real numbers"),
        ({"t_utc": None}, "t_utc", "must be stated"),
        ({"t_utc": np.array([1, 2])}, "t_utc", "datetime64"),
        ({"t_utc": arrays()["t_utc"][:1]}, "t_utc", "shape (2,)"),
        ({"t_utc": arrays()["t_utc"][::-1]}, "t_utc[1]", "increase"),
        ({"t_utc": arrays()["t_utc"][[0, 0]]}, "t_utc[1]", "increase"),
        ({"t_utc": np.array(["NaT", "2024-01-01"], dtype="datetime64[s]")}, "t_utc[0]", "must be a time"),
        ({"t_utc": np.array(["0001-01-01", "2024-01-01"], dtype="datetime64[s]")}, "t_utc[0]", "must lie in"),
        ({"t_utc": np.array([0, 1500], dtype="datetime64[ms]")}, "t_utc[1]", "whole second"),
        ({"nodes": np.array(["a", "b", "a"])}, "nodes[2]", "unique"),
        ({"nodes": np.array(["a", "b"])}, "nodes", "3 strings"),
        ({"nodes": np.array(["a", "", "c"])}, "nodes[1]", "printable"),
        ({"nodes": np.array([1, 2, 3])}, "nodes", "3 strings"),
        ({"links": None}, "links or links_undirected", "exactly one"),
        ({"links_undirected": np.array([[0, 1]])}, "links or links_undirected", "exactly one"),
        ({"links": np.array([[0, 1], [1, 3], [0, 1]])}, "links[1]", "0..2"),
        ({"links": np.array([[0, 1], [-1, 1], [0, 1]])}, "links[1]", "0..2"),
        ({"links": np.array([[0, 1], [1, 1], [0, 1]])}, "links[1]", "two different nodes"),
        ({"links": np.array([[0.0, 1.0]])}, "links", "integers"),
        ({"links": np.zeros((0, 2), dtype=int)}, "links", "at least 1"),
        ({"links": np.array([0, 1])}, "links", "(L, 2)"),
        ({"capacity_mbps": None}, "capacity_mbps or capacity", "exactly one"),
        ({"capacity_mbps": np.array([1.0, 0.0, 1.0])}, "capacity_mbps[1]", "positive"),
        ({"capacity_mbps": np.array([1.0, -2.0, 1.0])}, "capacity_mbps[1]", "negative"),
        ({"capacity_mbps": np.array([1.0, np.nan, 1.0])}, "capacity_mbps[1]", "finite"),
        ({"capacity_mbps": np.array([1.0])}, "capacity_mbps", "3 values"),
        ({"igp_metric": np.array([1.0, 2.0])}, "igp_metric", "3 values"),
    ],
)
def test_a_series_that_breaks_a_rule_is_refused_with_array_place_and_rule(tmp_path, changes, place, rule):
    path = save(tmp_path / "bad.npz", arrays(**changes))
    with pytest.raises(BadInputError) as caught:
        read_series(path)
    assert caught.value.place == place
    assert rule in caught.value.rule
    assert caught.value.file == str(path)


def test_the_alternative_names_are_read_and_times_are_never_invented(tmp_path):
    path = save(
        tmp_path / "s.npz", arrays(demand_mbps=None, demand=DEMAND, capacity_mbps=None, capacity=np.ones(3), t_utc=None)
    )
    with pytest.raises(BadInputError, match="t_utc"):
        read_series(path)
    series = read_series(path, Clock(np.datetime64("2024-05-01T00:00:00", "s"), 300))
    assert (
        series.t_utc.tolist()
        == np.array(["2024-05-01T00:00:00", "2024-05-01T00:05:00"], dtype="datetime64[s]").tolist()
    )
    assert np.array_equal(series.demand_mbps, DEMAND)


@pytest.mark.parametrize(
    ("start", "step"), [("NaT", 1), ("2024-01-01", 0), ("2024-01-01", -5), ("2024-01-01", 2**62), ("1800-01-01", 1)]
)
def test_a_clock_that_makes_no_sense_is_refused(start, step):
    with pytest.raises(BadInputError, match="clock"):
        Clock(np.datetime64(start, "s"), step)


def test_a_series_cannot_be_changed_by_what_it_was_made_from():
    content = arrays()
    demand = content["demand_mbps"].astype(np.float64)
    series = MatrixSeries(demand, content["t_utc"], ("a", "b", "c"), content["links"], True, content["capacity_mbps"])
    demand[:] = -1
    assert series.demand_mbps.min() == 0
    with pytest.raises(ValueError, match="read-only"):
        series.demand_mbps[0, 0, 0] = 5


def test_a_pickle_is_never_loaded(tmp_path):
    path = save(tmp_path / "p.npz", {**arrays(), "nodes": np.array([print, print, print], dtype=object)})
    with pytest.raises(BadInputError, match="plain arrays"):
        read_series(path)


def test_an_array_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": "<f8", "fortran_order": False, "shape": (10**7, 1000, 1000)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demand_mbps.npy", content.getvalue())
    with pytest.raises(BadInputError, match="demand_mbps"):
        read_series(path)


def test_a_missing_file_and_a_place_that_cannot_be_written_are_named(tmp_path):
    with pytest.raises(BadInputError, match=r"no\.npz"):
        read_series(tmp_path / "no.npz")
    series = read_series(save(tmp_path / "s.npz", arrays()))
    with pytest.raises(BadInputError):
        write_series(tmp_path, series)
    (tmp_path / "plain").write_text("x")
    with pytest.raises(BadInputError):
        write_series(tmp_path / "plain" / "s.npz", series)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain", "s.npz"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    series = read_series(save(tmp_path / "s.npz", arrays()))
    before = (tmp_path / "s.npz").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(BadInputError, match="no space"):
        write_series(tmp_path / "s.npz", series)
    assert (tmp_path / "s.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_read_but_never_raise_anything_else(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damage")
    whole = bytearray(save(folder / "s.npz", arrays()).read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole
    path = folder / "damaged.npz"
    path.write_bytes(bytes(cut))
    for read in (read_series, read_topology):
        line = str(path)
        try:
            read(path)
        except BadInputError as refusal:
            line = str(refusal)
        assert str(path) in line


def test_a_topology_is_taken_from_a_file_without_demand(tmp_path):
    topology = read_topology(save(tmp_path / "lines.npz", arrays(demand_mbps=None, t_utc=None, nodes=None)))
    assert topology.node_names == ("node-0", "node-1", "node-2")
    assert topology.directed
    assert not topology.located
    assert topology.rate_mbps.tolist() == [10, 20, 10]
