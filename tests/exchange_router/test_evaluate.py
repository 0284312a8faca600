"""`evaluate` as its users meet it: one JSON document, tables, files, and one line for bad input."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from made_matrices import SAMPLE, series_of

from exchange_router.main import status
from sim.evaluation.scores import FIGURES, ROUND_FIGURES
from strategies.registry import MATRIX_BRAINS
from traces.matrices import write_series

FEW = ["--score-from", "2026-03-17", "--score-to", "2026-03-17T09:00", "--count", "6", "--rounds", "2"]


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert status(["evaluate", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def timeless(path: Path, **changes: Any) -> Path:
    """A series as some are published: no times, no names, and arrays by other names."""
    arrays = {
        "demand": np.arange(27.0).reshape(3, 3, 3),
        "links": np.array([[0, 1], [1, 2], [2, 0]]),
        "capacity": np.array([100.0, 100.0, 100.0]),
        **changes,
    }
    with path.open("wb") as file:
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_help_is_in_both_languages(capsys):
    assert status(["evaluate", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: ")
    assert "评估" in shown
    for name in (*MATRIX_BRAINS, "--score-from", "--capacity-mbps"):
        assert name in shown


def test_json_holds_every_matrix_and_what_they_come_to(capsys):
    found = document(capsys, str(SAMPLE), *FEW)
    assert list(found["brains"]) == list(MATRIX_BRAINS)
    assert found["scored"] == {
        "matrices": 6,
        "first": "2026-03-17T00:00:00Z",
        "last": "2026-03-17T07:30:00Z",
        "learned_from": 48,
        "without_demand": 0,
    }
    assert found["series"]["times_stated"] is True
    assert found["unconnected"] == []
    for scores in found["brains"].values():
        rows = scores["matrices"]
        assert [row["t"] for row in rows][:2] == ["2026-03-17T00:00:00Z", "2026-03-17T01:30:00Z"]
        for name in FIGURES:
            values = [row[name] for row in rows if row[name] is not None]
            if not values:
                assert scores[name] is None
                continue
            assert scores[name]["mean"] == pytest.approx(np.mean(values))
            assert scores[name]["p95"] == pytest.approx(np.quantile(values, 0.95))
            assert scores[name]["max"] == max(values)
        for row in rows:
            assert row["ratio"] == pytest.approx(row["mlu"] / row["optimal_mlu"])
            assert row["ratio"] >= 1 - 1e-6
    assert found["brains"]["shortest-path"]["gap"] is None
    assert found["brains"]["clairvoyant"]["ratio"]["max"] < 1.05


def test_the_result_says_how_to_get_it_again(capsys):
    found = document(capsys, str(SAMPLE), *FEW, "--brain", "reactive")
    origin = found["provenance"]
    assert origin["matrices_digest"] == hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    words = origin["command"].split()
    assert words[:3] == ["exchange-router", "evaluate", SAMPLE.name]
    assert document(capsys, str(SAMPLE), *words[3:]) == found


def test_rounds_are_told_with_what_made_them(capsys):
    words = [str(SAMPLE), "--score-from", "2026-03-17", "--score-to", "2026-03-17T02:00", "--scale-optimum", "0.7"]
    words += ["--brain", "probing", "--brain", "ecmp"]
    found = document(capsys, *words, "--rounds", "4", "--noise", "0.1", "--loss", "0.2", "--seed", "9")
    assert found["probes"] == {"rounds": 4, "noise": 0.1, "loss": 0.2, "seed": 9}
    assert found["scale_optimum"] == 0.7
    probing, even = found["brains"]["probing"], found["brains"]["ecmp"]
    for name in ROUND_FIGURES:
        assert even[name] is None
        assert probing[name]["mean"] == pytest.approx(np.mean([row[name] for row in probing["matrices"]]))
    assert 0 < probing["probe_share"]["max"] <= 0.005
    assert all(0 <= row["rounds_until_near"] <= 4 for row in probing["matrices"])
    for scores in (probing, even):
        assert [row["optimal_mlu"] for row in scores["matrices"]] == pytest.approx([0.7] * 4)
    again = found["provenance"]["command"].split()
    assert document(capsys, str(SAMPLE), *again[3:]) == found
    other = document(capsys, *words, "--rounds", "4", "--noise", "0.1", "--loss", "0.2", "--seed", "8")
    assert other["brains"]["ecmp"] == even
    assert other["brains"]["probing"] != probing
    assert document(capsys, *words[:-4], "--brain", "ecmp")["probes"] is None


def test_rounds_have_a_table(capsys):
    assert status(["evaluate", str(SAMPLE), *FEW, "--brain", "probing"]) == 0
    assert "Rounds of test particles" in capsys.readouterr().out
    assert status(["evaluate", str(SAMPLE), *FEW, "--brain", "ecmp"]) == 0
    assert "Rounds of test particles" not in capsys.readouterr().out


def test_only_the_brains_that_are_asked_for_and_each_once(capsys):
    found = document(capsys, str(SAMPLE), *FEW, "--brain", "ecmp", "--brain", "shortest-path", "--brain", "ecmp")
    assert list(found["brains"]) == ["ecmp", "shortest-path"]


def test_one_rate_for_all_lines(capsys):
    own, equal = (
        document(capsys, str(SAMPLE), *FEW, "--brain", "shortest-path", *more)
        for more in ([], ["--capacity-mbps", "20000"])
    )
    peaks = [found["brains"]["shortest-path"]["mlu"]["mean"] for found in (own, equal)]
    assert peaks[1] < peaks[0] / 1.9


def test_tables_name_brains_figures_and_what_was_left_out(tmp_path, capsys):
    demand = np.zeros((3, 4, 4))
    demand[:2, 0, 1] = 50
    demand[0, 0, 3] = 30
    write_series(tmp_path / "cut.npz", series_of(demand, [(0, 1), (1, 2)], [100, 100]))
    capsys.readouterr()
    assert status(["evaluate", str(tmp_path / "cut.npz")]) == 0
    shown = capsys.readouterr()
    for word in (*MATRIX_BRAINS, "1.0000", "50.00%", "a - d", "(6)", "10 Mbit/s", "1 matrices, ratio 1"):
        assert word in shown.out
    assert "matrices a second" in shown.err


def test_tables_follow_the_language(monkeypatch, capsys):
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "zh_CN.UTF-8")
    capsys.readouterr()
    assert status(["evaluate", str(SAMPLE), *FEW, "--brain", "ecmp"]) == 0
    assert "峰值利用率" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_out_holds_the_rows_of_the_document(suffix, tmp_path, capsys):
    path = tmp_path / f"rows{suffix}"
    # One that lives through rounds, one that solves, and one that does neither.
    asked = [str(SAMPLE), *FEW, *(word for name in ("probing", "reactive", "ecmp") for word in ("--brain", name))]
    found = document(capsys, *asked, "--out", str(path))
    table = pq.read_table(path) if suffix == ".parquet" else pyarrow.csv.read_csv(path)
    assert table.column_names == ["brain", "t", *FIGURES]
    rows = table.to_pylist()
    assert len(rows) == 6 * 3
    told = [(name, row) for name, scores in found["brains"].items() for row in scores["matrices"]]
    for row, (name, one) in zip(rows, told, strict=True):
        assert row["brain"] == name
        assert row["t"].isoformat().replace("+00:00", "Z") == one["t"]
        for figure in FIGURES:
            assert row[figure] == (None if one[figure] is None else pytest.approx(one[figure], rel=1e-12))
    before = path.read_bytes()
    document(capsys, *asked, "--out", str(path))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_series_without_times_is_numbered_unless_told(tmp_path, capsys):
    path = timeless(tmp_path / "pods.npz")
    found = document(capsys, str(path), "--brain", "ecmp")
    assert found["series"]["times_stated"] is False
    assert (found["series"]["first"], found["series"]["last"]) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:02Z")
    told = document(
        capsys, str(path), "--brain", "ecmp", "--start", "2026-03-17T08:00+08:00", "--step-s", "300",
        "--score-from", "2026-03-17T00:05",
    )  # fmt: skip
    assert told["scored"]["first"] == "2026-03-17T00:05:00Z"
    assert told["scored"]["learned_from"] == 1
    assert status(["evaluate", str(path), "--brain", "ecmp"]) == 0
    assert "states none" in capsys.readouterr().out


def bad_inputs(tmp_path: Path) -> dict[str, tuple[list[str], str]]:
    plain = tmp_path / "plain.npz"
    plain.write_text("nothing of ours", encoding="utf-8")
    sample = str(SAMPLE)
    demand = np.ones((3, 3, 3))
    demand[1, 0, 2] = np.nan
    nan = timeless(tmp_path / "nan.npz", demand=demand)
    negative = timeless(tmp_path / "negative.npz", demand=-np.ones((3, 3, 3)))
    no_rate = timeless(tmp_path / "rate.npz", capacity=np.array([1.0, -1.0, 1.0]))
    free = str(timeless(tmp_path / "free.npz"))
    return {
        "no file": (["none.npz"], "none.npz"),
        "not a series": ([str(plain)], "plain.npz"),
        "demand not a number": ([str(nan)], "nan.npz: demand_mbps[1, 0, 2]"),
        "demand negative": ([str(negative)], "negative.npz: demand_mbps[0, 0, 0]"),
        "capacity negative": ([str(no_rate)], "rate.npz: capacity_mbps[1]"),
        "brain unknown": ([sample, "--brain", "best"], "--brain"),
        "paths unknown": ([sample, "--paths", "best-4"], "--paths"),
        "paths too many": ([sample, "--paths", "ksp-1000"], "--paths"),
        "metric unknown": ([sample, "--metric", "beauty"], "--metric"),
        "metric not there": ([sample, "--metric", "igp"], "--metric"),
        "from no instant": ([sample, "--score-from", "soon"], "--score-from"),
        "from too fine": ([sample, "--score-from", "2026-03-17T00:00:00.5"], "--score-from"),
        "to before from": ([sample, "--score-from", "2026-03-18", "--score-to", "2026-03-17"], "--score-from, --score"),
        "nothing to score": ([sample, "--score-from", "2027-01-01"], "--score-from, --score-to"),
        "every zero": ([sample, "--every", "0"], "--every"),
        "count zero": ([sample, "--count", "0"], "--count"),
        "every and count": ([sample, "--every", "2", "--count", "2"], "--every, --count"),
        "capacity zero": ([sample, "--capacity-mbps", "0"], "--capacity-mbps"),
        "capacity not finite": ([sample, "--capacity-mbps", "nan"], "--capacity-mbps"),
        "rounds zero": ([sample, "--rounds", "0"], "--rounds"),
        "rounds too many": ([sample, "--rounds", "1001"], "--rounds"),
        "noise negative": ([sample, "--noise", "-0.1"], "--noise"),
        "noise not a number": ([sample, "--noise", "nan"], "--noise"),
        "loss above one": ([sample, "--loss", "1.1"], "--loss"),
        "loss not a number": ([sample, "--loss", "nan"], "--loss"),
        "optimum zero": ([sample, "--scale-optimum", "0"], "--scale-optimum"),
        "optimum not finite": ([sample, "--scale-optimum", "inf"], "--scale-optimum"),
        "gap zero": ([sample, "--gap", "0"], "--gap"),
        "gap not a number": ([sample, "--gap", "nan"], "--gap"),
        "times twice": ([sample, "--start", "2026-01-01"], "--start"),
        "step twice": ([sample, "--step-s", "60"], "--step-s"),
        "step zero": ([free, "--step-s", "0"], "--step-s"),
        "start before time": ([free, "--start", "1066-10-14"], "--start"),
        "out of no kind": ([sample, "--out", str(tmp_path / "rows.txt")], "rows.txt"),
        "out is a folder": ([sample, "--out", str(tmp_path / "taken.csv")], "taken.csv"),
    }


CASES = [
    "no file", "not a series", "demand not a number", "demand negative", "capacity negative", "brain unknown",
    "paths unknown", "paths too many", "metric unknown", "metric not there", "from no instant", "from too fine",
    "to before from", "nothing to score", "every zero", "count zero", "every and count", "capacity zero",
    "capacity not finite", "gap zero", "gap not a number", "times twice", "step twice", "step zero",
    "start before time", "out of no kind", "out is a folder",
    "rounds zero", "rounds too many", "noise negative", "noise not a number", "loss above one", "loss not a number",
    "optimum zero", "optimum not finite",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_line_that_names_it_and_writes_nothing(case, tmp_path, capsys):
    (tmp_path / "taken.csv").mkdir()
    cases = bad_inputs(tmp_path)
    assert set(cases) == set(CASES)
    words, named = cases[case]
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    more = [] if "--out" in words else ["--out", str(tmp_path / "never.csv")]
    assert status(["evaluate", *words, *more]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    told = shown.err.splitlines()
    assert told[-1].startswith("exchange-router: ")
    assert named in told[-1]
    assert sorted(tmp_path.rglob("*")) == before
