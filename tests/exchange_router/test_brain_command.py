"""`brain fit | classes | tides` and replays with what was prepared, as their users meet them; on a small scenario."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scenarios
from exchange_router.brain_work import line_history
from exchange_router.main import status
from router_core.errors import BadInputError
from sim.brain_file import read_brain, read_parts, write_brain, write_parts
from sim.result_folder import read_line_history
from traces.history import read_history

START, LATER, PLANNED = "2026-03-09", "2026-03-23", 2


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


def generate(path: Path, start: str, *more: str) -> Path:
    words = ["trace", "generate", "--scenario", "toy", "--start", start, "--seed", "3", "--exchanges-per-day", "900"]
    assert status([*words, *more, "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two weeks of history in two files, the day after it, what was learnt, and a replay for the lines."""
    place = tmp_path_factory.mktemp("brain")
    generate(place / "first.parquet", START, "--days", "7")
    generate(place / "second.parquet", "2026-03-16", "--days", "7")
    generate(place / "day.parquet", LATER, "--days", "1")
    lines = ["replay", "--scenario", "toy", "--trace", str(place / "second.parquet"), "--brain", "ecmp"]
    assert status([*lines, "--telemetry-s", "1800", "--out", str(place / "lines")]) == 0
    assert status(fit(place, "--out", str(place / "toy.brain"))) == 0
    return place


def fit(folder: Path, *more: str) -> list[str]:
    traces = ["--trace", str(folder / "second.parquet"), "--trace", str(folder / "first.parquet")]
    return [
        "brain",
        "fit",
        "--scenario",
        "toy",
        *traces,
        "--days",
        str(PLANNED),
        "--lines",
        str(folder / "lines"),
        *more,
    ]


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert status([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("words", [["brain"], ["brain", "fit"], ["brain", "classes"], ["brain", "tides"]], ids=" ".join)
def test_help_says_what_the_command_does_in_both_languages(words, capsys):
    assert status([*words, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Usage: ")
    assert re.search(r"[\u4e00-\u9fff]", shown.out)


def test_equal_seeds_give_equal_bytes_in_any_order_of_traces(folder, tmp_path):
    again = fit(folder, "--out", str(tmp_path / "again.brain"))
    first, second = (again.index(str(folder / name)) for name in ("first.parquet", "second.parquet"))
    again[first], again[second] = again[second], again[first]
    assert status(again) == 0
    found, wanted = read_parts(tmp_path / "again.brain"), read_parts(folder / "toy.brain")
    assert found[0]["prepared"] == wanted[0]["prepared"]
    assert {name: array.tobytes() for name, array in found[1].items()} == {
        name: array.tobytes() for name, array in wanted[1].items()
    }
    # What differs is what was typed: as it was typed before, the bytes are the same.
    platform = scenarios.load("toy")
    content = read_brain(folder / "toy.brain", platform)
    write_brain(tmp_path / "stored.brain", content)
    assert (tmp_path / "stored.brain").read_bytes() == (folder / "toy.brain").read_bytes()


def test_fit_plans_the_days_after_the_history(folder, tmp_path, capsys):
    out = tmp_path / "no.brain"
    document = told(capsys, *fit(folder, "--no-holds", "--out", str(out), "--report", str(tmp_path / "r.html")))
    assert document["plan"]["begin"] == f"{LATER}T00:00:00"
    assert document["plan"]["slots"] == 24 * PLANNED
    assert set(document["plan"]["held_share"]) == {0.0}
    assert document["plan"]["peak_unheld"] == document["plan"]["peak_mean"]
    assert document["bytes"] == out.stat().st_size
    history = document["provenance"]["history"]
    assert (history["hours"], history["begin"]) == (336, f"{START}T00:00:00")
    shares = [one["exchanges_share"] for one in document["classes"]]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert sum(one["relations"] for one in document["classes"]) == history["relations"]
    assert "Toy province" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_what_comes_after_the_first_planned_day_is_not_learnt_from(folder, tmp_path):
    later = fit(
        folder, "--trace", str(folder / "day.parquet"), "--begin", LATER, "--out", str(tmp_path / "later.brain")
    )
    assert status(later) == 0
    found, wanted = read_parts(tmp_path / "later.brain"), read_parts(folder / "toy.brain")
    assert found[0]["prepared"] == wanted[0]["prepared"]
    assert all(array.tobytes() == found[1][name].tobytes() for name, array in wanted[1].items())


def test_tables_name_classes_models_and_days(folder, tmp_path, capsys):
    words = fit(folder, "--begin", "2027-12-31", "--out", str(tmp_path / "far.brain"))
    words[words.index("--lines") : words.index("--lines") + 2] = []
    capsys.readouterr()
    assert status(words) == 0
    shown = capsys.readouterr()
    assert "lines are planned as if nobody else used them" in shown.err
    for said in ("2027-12-31 (month end) (provisional)", "2028-01-01 (weekend)", "recent-days", "unknown: as if free"):
        assert said in shown.out
    for one in read_brain(tmp_path / "far.brain", scenarios.load("toy")).prepared.classes.classes:
        assert one.title_en in shown.out


@pytest.mark.parametrize("days", [1, 3, 90])
def test_lines_are_known_up_to_the_begin_of_the_plan_alone(folder, days):
    """Law 6: a replay may run on into the planned days, and what its telemetry told then is left out."""
    whole = read_line_history(folder / "lines")
    begin = whole.grid.at(24 * days)
    known = line_history(folder / "lines", None, scenarios.load("toy"), begin)
    assert known.grid.count == min(24 * days, whole.grid.count)
    np.testing.assert_array_equal(known.others, whole.others[: 24 * days])


def test_classes_show_what_was_learnt_and_what_has_changed(folder, tmp_path, capsys):
    document = told(capsys, "brain", "classes", str(folder / "toy.brain"))
    assert document["drift"] is None
    assert document["report"] is None
    assert all(len(one["profile"]) == 168 for one in document["classes"])
    later = ["--trace", str(folder / "day.parquet"), "--report", str(tmp_path / "classes.html")]
    document = told(capsys, "brain", "classes", str(folder / "toy.brain"), *later)
    assert document["drift"]["hours"] == 24
    assert len(document["drift"]["classes"]) == len(document["classes"])
    assert (tmp_path / "classes.html").is_file()


def test_tides_are_held_against_what_came(folder, capsys):
    document = told(capsys, "brain", "tides", str(folder / "toy.brain"))
    assert document["seen"] is None
    document = told(capsys, "brain", "tides", str(folder / "toy.brain"), "--trace", str(folder / "day.parquet"))
    seen = document["seen"]
    platform = scenarios.load("toy")
    came = read_history([folder / "day.parquet"], platform)
    hourly = np.diff(np.concatenate(([0], np.cumsum(came.exchanges)))[came.hour_start])
    assert seen["hours"] == 24
    assert seen["came"][-1] == [*hourly.tolist(), *[None] * 24]
    median = np.array(document["p50"][-1][:24])
    assert seen["all"]["wape"] == pytest.approx(np.abs(hourly - median).sum() / hourly.sum(), rel=1e-3)
    upper = np.array(document["p95"][-1][:24])
    assert seen["all"]["coverage"] == pytest.approx((hourly <= upper).mean(), abs=1e-4)
    each = np.array(seen["came"][:-1])[:, :24].astype(float)
    np.testing.assert_array_equal(each.sum(axis=0), hourly)
    # On a made province a plain working day is no surprise.
    assert seen["all"]["wape"] < 0.35
    assert seen["unforeseen"] < 0.2


def replay(folder: Path, out: Path, *more: str) -> list[str]:
    words = ["replay", "--scenario", "toy", "--trace", str(folder / "day.parquet"), "--telemetry-s", "900"]
    return [*words, "--out", str(out), *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_static_runs_beside_itself_without_holds_whatever_the_number_of_processes(folder, tmp_path, capsys):
    brains = ["--brain", "static", "--brain", "static-no-holds", "--prepared", str(folder / "toy.brain")]
    document = told(capsys, *replay(folder, tmp_path / "one", *brains, "--jobs", "1"))
    assert status(replay(folder, tmp_path / "two", *brains, "--jobs", "2")) == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert list(document["brains"]) == ["static", "static-no-holds"]
    assert document["brains"]["static-no-holds"]["withheld"] is None
    for one in document["brains"].values():
        assert one["counts"]["refused"] == 0
    run = json.loads((tmp_path / "one" / "run.json").read_text(encoding="utf-8"))
    assert len(run["provenance"]["prepared_digest"]) == 64
    assert "--prepared toy.brain" in run["provenance"]["command"]
    assert run["provenance"]["prepared_digest"] in (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    stored = json.loads((tmp_path / "one" / "static" / "plan.json").read_text(encoding="utf-8"))
    assert stored["slots"] == 24 * PLANNED
    # What was prepared is stored with the results: the report is remade from them alone.
    made = (tmp_path / "one" / "report.html").read_bytes()
    assert status(["report", str(tmp_path / "one")]) == 0
    assert (tmp_path / "one" / "report.html").read_bytes() == made


def test_what_is_prepared_joins_the_brains_that_need_no_file(folder, tmp_path, capsys):
    assert list(told(capsys, *replay(folder, tmp_path / "a", "--jobs", "1"))["brains"]) == ["shortest-path", "ecmp"]
    prepared = ["--prepared", str(folder / "toy.brain"), "--jobs", "1"]
    document = told(capsys, *replay(folder, tmp_path / "b", *prepared))
    assert list(document["brains"]) == ["shortest-path", "ecmp", "static"]


def test_days_that_were_not_planned_are_told(folder, tmp_path, capsys):
    prepared = ["--prepared", str(folder / "toy.brain"), "--brain", "static"]
    capsys.readouterr()
    assert status(replay(folder, tmp_path / "in", *prepared)) == 0
    assert "most similar" not in capsys.readouterr().err
    beyond = generate(tmp_path / "beyond.parquet", "2026-03-25", "--hours", "2")
    words = replay(folder, tmp_path / "out", *prepared)
    words[words.index(str(folder / "day.parquet"))] = str(beyond)
    capsys.readouterr()
    assert status(words) == 0
    assert "toy.brain: plans 2026-03-23T00:00:00 - 2026-03-25T00:00:00" in capsys.readouterr().err


def bad_inputs(folder: Path, tmp_path: Path) -> dict[str, tuple[list[str], str]]:
    brain = str(folder / "toy.brain")
    later = ["--trace", str(folder / "day.parquet")]
    out = ["--out", str(tmp_path / "o")]
    plain = tmp_path / "plain.txt"
    plain.write_text("nothing of ours", encoding="utf-8")
    cut = tmp_path / "cut.brain"
    cut.write_bytes((folder / "toy.brain").read_bytes()[:-100])
    document, arrays = read_parts(folder / "toy.brain")
    newer, odd = tmp_path / "newer.brain", tmp_path / "odd.brain"
    write_parts(newer, {**document, "version": 2}, arrays)
    write_parts(odd, document, {**arrays, "plan.paths.path_station": arrays["plan.paths.path_station"] + 9_999})
    bare = tmp_path / "bare.brain"
    write_parts(bare, document, {name: array for name, array in arrays.items() if not name.startswith("outlook")})
    short = generate(tmp_path / "short.parquet", START, "--hours", "5")
    known = ["brain", "fit", "--scenario", "toy", *later, *out]
    return {
        "no trace": (["brain", "fit", *out], "--trace"),
        "no out": (["brain", "fit", *later], "--out"),
        "trace missing": (["brain", "fit", "--scenario", "toy", "--trace", "none.parquet", *out], "none.parquet"),
        "trace of another scenario": (["brain", "fit", "--scenario", "jiangxi", *later, *out], "endpoint"),
        "traces overlap": ([*known, *later], "day.parquet"),
        "history too short": (["brain", "fit", "--scenario", "toy", "--trace", str(short), *out], "history"),
        "nothing before the begin": ([*known, "--begin", LATER], "--begin"),
        "begin no date": ([*known, "--begin", "soon"], "--begin"),
        "no days": ([*known, "--days", "0"], "--days"),
        "seed negative": ([*known, "--seed", "-1"], "--seed"),
        "lines of the future": ([*fit(folder, *out)[:6], "--lines", str(tmp_path / "future"), *out], "--lines"),
        "lines nowhere": ([*known, "--lines", str(tmp_path / "nowhere")], "run.json"),
        "lines of nobody": ([*known, "--lines", str(folder / "lines"), "--lines-brain", "best"], "--lines-brain"),
        "nobody's lines": ([*known, "--lines-brain", "ecmp"], "--lines-brain"),
        "brain missing": (["brain", "classes", "none.brain"], "none.brain"),
        "brain no brain": (["brain", "classes", str(plain)], "plain.txt"),
        "brain cut": (["brain", "tides", str(cut)], "cut.brain"),
        "brain of another version": (["brain", "tides", str(newer)], "newer.brain: version"),
        "brain that does not fit": (["brain", "tides", str(odd)], "odd.brain: plan.paths.path_station"),
        "brain without its outlook": (["brain", "tides", str(bare)], "bare.brain: outlook.p50"),
        "brain of another network": (["brain", "classes", brain, "--scenario", "jiangxi"], "toy.brain: brain"),
        "nothing planned came": (["brain", "tides", brain, "--trace", str(folder / "first.parquet")], "history"),
        "static without a file": (replay(folder, tmp_path / "o", "--brain", "static"), "--prepared"),
        "a file without static": (replay(folder, tmp_path / "o", "--brain", "ecmp", "--prepared", brain), "--prepared"),
        "replay of a file missing": (replay(folder, tmp_path / "o", "--prepared", "none.brain"), "none.brain"),
        "replay of a file cut": (replay(folder, tmp_path / "o", "--prepared", str(cut)), "cut.brain"),
    }


CASES = [
    "no trace",
    "no out",
    "trace missing",
    "trace of another scenario",
    "traces overlap",
    "history too short",
    "nothing before the begin",
    "begin no date",
    "no days",
    "seed negative",
    "lines of the future",
    "lines nowhere",
    "lines of nobody",
    "nobody's lines",
    "brain missing",
    "brain no brain",
    "brain cut",
    "brain of another version",
    "brain that does not fit",
    "brain without its outlook",
    "brain of another network",
    "nothing planned came",
    "static without a file",
    "a file without static",
    "replay of a file missing",
    "replay of a file cut",
]


@pytest.fixture(scope="module")
def cases(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("bad")
    assert status(replay(folder, place / "future", "--brain", "ecmp")) == 0
    return place, bad_inputs(folder, place)


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_line_that_names_it_and_changes_nothing(case, cases, capsys):
    place, inputs = cases
    words, named = inputs[case]
    before = contents(place)
    capsys.readouterr()
    assert status(words) == 2
    shown = capsys.readouterr()
    complaint = [line for line in shown.err.splitlines() if line.startswith("exchange-router: ")]
    assert len(complaint) == 1
    assert named in complaint[0]
    assert shown.out == ""
    assert contents(place) == before


def test_every_case_of_bad_input_is_run(cases):
    assert sorted(CASES) == sorted(cases[1])


def test_static_brain_of_another_network_is_named(folder):
    with pytest.raises(BadInputError, match="must be made for the network of scenario jiangxi"):
        read_brain(folder / "toy.brain", scenarios.load("jiangxi"))
