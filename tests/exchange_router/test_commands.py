"""The command line as its users meet it: help, JSON, one line for bad input, nothing half done, equal bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from exchange_router import replay_command
from exchange_router.main import status
from router_core.errors import ExchangeRouterError
from sim.world import WorldConfig
from traces.reader import TraceReader
from traces.writer import write_all

SAMPLE = Path(__file__).resolve().parents[2] / "traces" / "samples" / "jiangxi-hour.parquet"
COMMANDS = [
    [],
    ["scenario"],
    ["scenario", "list"],
    ["scenario", "show"],
    ["scenario", "validate"],
    ["trace"],
    ["trace", "generate"],
    ["trace", "import"],
    ["trace", "info"],
    ["trace", "validate"],
    ["replay"],
    ["report"],
    ["policy"],
    ["policy", "explain"],
]


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "day.parquet"
    assert status(["trace", "generate", "--scenario", "toy", "--hours", "6", "--seed", "3", "--out", str(path)]) == 0
    return path


def replay(day: Path, out: Path, *more: str) -> int:
    return status(["replay", "--scenario", "toy", "--trace", str(day), "--out", str(out), *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_says_what_the_command_does_in_both_languages(words, capsys):
    assert status([*words, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("Usage: ")
    assert any("一" <= letter <= "鿿" for letter in shown.out)
    assert shown.err == ""


@pytest.mark.parametrize("words", [["scenario"], ["trace"], ["policy"], []], ids=" ".join)
def test_a_group_without_a_command_shows_its_commands(words, capsys):
    assert status(words) == 2
    shown = capsys.readouterr()
    assert "Commands:" in shown.out + shown.err


def bad_inputs(tmp_path: Path, day: Path) -> dict[str, tuple[list[str], str]]:
    broken = tmp_path / "broken.toml"
    broken.write_text('schema = 1\nform = "explicit"\nname = ', encoding="utf-8")
    plain = tmp_path / "plain.txt"
    plain.write_text("nothing of ours", encoding="utf-8")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("keep me", encoding="utf-8")
    generate = ["trace", "generate", "--scenario", "toy", "--out", str(tmp_path / "t.parquet")]
    again = ["replay", "--scenario", "toy", "--trace", str(day)]
    anew = [*again, "--out", str(tmp_path / "o")]
    lost = tmp_path / "lost.toml"
    lost.write_text('schema = 1\n[[faults]]\nkind = "stop"\nnode = "atlantis"\nfrom = 1\n', encoding="utf-8")
    return {
        "no such command": (["bogus"], "bogus"),
        "no such option": (["scenario", "list", "--bogus"], "--bogus"),
        "no such scenario": (["scenario", "show", "atlantis"], "atlantis"),
        "scenario file broken": (["scenario", "validate", str(broken)], "broken.toml"),
        "scenario not a scenario": (["scenario", "validate", str(plain)], "plain.txt"),
        "out missing": (["trace", "generate"], "--out"),
        "seed not a number": ([*generate, "--seed", "x"], "--seed"),
        "seed negative": ([*generate, "--seed", "-1"], "--seed"),
        "start not a date": ([*generate, "--start", "soon"], "--start"),
        "start that never was": ([*generate, "--start", "2026-02-30"], "--start"),
        "days negative": ([*generate, "--days", "-1"], "--days"),
        "days not finite": ([*generate, "--days", "nan"], "--days"),
        "days and hours": ([*generate, "--days", "1", "--hours", "1"], "--days, --hours"),
        "load zero": ([*generate, "--load", "0"], "load"),
        "load not finite": ([*generate, "--load", "inf"], "load"),
        "exchanges zero": ([*generate, "--exchanges-per-day", "0"], "exchanges"),
        "surge unknown": ([*generate, "--surge", "flood"], "flood"),
        "trace missing": (["trace", "info", str(tmp_path / "none.parquet")], "none.parquet"),
        "trace not a trace": (["trace", "info", str(plain)], "plain.txt"),
        "trace of another scenario": (["trace", "validate", str(day)], "endpoint"),
        "import nothing known": (["trace", "import", str(plain), "--out", str(tmp_path / "i")], "plain.txt"),
        "replay trace missing": (["replay", "--trace", "none", "--out", str(tmp_path / "o")], "none"),
        "brain unknown": ([*again, "--out", str(tmp_path / "o"), "--brain", "best"], "--brain"),
        "data plane unknown": ([*again, "--out", str(tmp_path / "o"), "--data-plane", "magic"], "--data-plane"),
        "faults missing": ([*anew, "--faults", str(tmp_path / "none.toml")], "none.toml"),
        "faults not TOML": ([*anew, "--faults", str(plain)], "plain.txt"),
        "faults of another network": ([*anew, "--faults", str(lost)], "lost.toml: faults[0].node"),
        "telemetry never": ([*anew, "--telemetry-s", "0"], "--telemetry-s"),
        "telemetry not finite": ([*anew, "--telemetry-s", "nan"], "--telemetry-s"),
        "telemetry not a number": ([*anew, "--telemetry-s", "often"], "--telemetry-s"),
        "telemetry too rare": ([*anew, "--telemetry-s", "100000"], "--telemetry-s"),
        "out is somebody's": ([*again, "--out", str(tmp_path / "full")], "--out"),
        "out is a file": ([*again, "--out", str(plain)], "--out"),
        "report of nothing": (["report", str(tmp_path / "full")], "run.json"),
    }


CASES = [
    "no such command", "no such option", "no such scenario", "scenario file broken", "scenario not a scenario",
    "out missing", "seed not a number", "seed negative", "start not a date", "start that never was", "days negative",
    "days not finite", "days and hours", "load zero", "load not finite", "exchanges zero", "surge unknown",
    "trace missing", "trace not a trace", "trace of another scenario", "import nothing known",
    "replay trace missing", "brain unknown", "data plane unknown", "faults missing", "faults not TOML",
    "faults of another network", "telemetry never", "telemetry not finite", "telemetry not a number",
    "telemetry too rare", "out is somebody's", "out is a file", "report of nothing",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gets_one_line_that_names_it_and_changes_nothing(case, tmp_path, day, capsys):
    words, named = bad_inputs(tmp_path, day)[case]
    before = contents(tmp_path)
    capsys.readouterr()
    assert status([*words]) == 2
    shown = capsys.readouterr()
    complaint = [line for line in shown.err.splitlines() if line.startswith("exchange-router: ")]
    assert len(complaint) == 1
    assert shown.err.splitlines()[-1] == complaint[0]
    assert named in complaint[0]
    assert shown.out == ""
    assert contents(tmp_path) == before


def test_every_case_of_bad_input_is_run(tmp_path, day):
    assert sorted(CASES) == sorted(bad_inputs(tmp_path, day))


def test_json_is_one_document_and_nothing_else(tmp_path, day, capsys):
    out = tmp_path / "out"
    acts = [
        ["scenario", "list"],
        ["scenario", "show", "toy"],
        ["scenario", "validate", "toy"],
        ["trace", "generate", "--scenario", "toy", "--hours", "1", "--out", str(tmp_path / "t.parquet")],
        ["trace", "info", str(day)],
        ["trace", "validate", str(day), "--scenario", "toy"],
        ["replay", "--scenario", "toy", "--trace", str(day), "--out", str(out), "--jobs", "1"],
        ["report", str(out)],
    ]
    capsys.readouterr()
    for words in acts:
        assert status([*words, "--json"]) == 0
        assert isinstance(json.loads(capsys.readouterr().out), dict), words


def test_results_are_equal_bytes_whatever_the_number_of_processes(tmp_path, day):
    for name, jobs in (("one", "1"), ("two", "2"), ("again", "2")):
        assert replay(day, tmp_path / name, "--jobs", jobs, "--seed", "5") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "again")
    assert replay(day, tmp_path / "other", "--seed", "6") == 0
    assert contents(tmp_path / "other")["ecmp/metrics.json"] != contents(tmp_path / "one")["ecmp/metrics.json"]


# A front-end that stops has no alternate: what is sent to it fails and is tried again until it returns. Of a line,
# only what is on it within the second until front-ends know would fail.
FAULTS = """
schema = 1
[[faults]]
kind = "stop"
node = "province-data-1"
from = "00:30:00"
until = "02:00:00"
[[faults]]
kind = "slow"
node = "east/process"
from = 3600
factor = 1.5
"""


def test_faults_change_the_result_and_are_told(tmp_path, day, capsys):
    faults = tmp_path / "faults.toml"
    faults.write_text(FAULTS, encoding="utf-8")
    told = {}
    for name, more in {"calm": [], "one": [faults, "--jobs", "1"], "two": [faults, "--jobs", "2"]}.items():
        options = ["--faults", str(more[0]), *more[1:]] if more else []
        capsys.readouterr()
        assert replay(day, tmp_path / name, *options, "--json") == 0
        told[name] = json.loads(capsys.readouterr().out)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    for calm, struck in zip(told["calm"]["brains"].values(), told["one"]["brains"].values(), strict=True):
        assert calm["chunks"]["failed"] == calm["chunks"]["retries"] == 0
        assert struck["chunks"]["failed"] >= struck["chunks"]["retries"] > 0
        assert struck["counts"]["submitted"] == calm["counts"]["submitted"]
    origin = told["one"]["provenance"]
    assert origin["faults_digest"] == hashlib.sha256(faults.read_bytes()).hexdigest()
    assert "--faults faults.toml" in origin["command"]
    assert told["calm"]["provenance"]["faults_digest"] is None
    assert origin["faults_digest"] in (tmp_path / "one" / "report.html").read_text(encoding="utf-8")


def test_telemetry_is_sampled_as_often_as_asked_for(tmp_path, day, monkeypatch):
    periods = []
    work = replay_command.replay_trace

    def watched(*given, config: WorldConfig, **more):
        periods.append(config.telemetry.period_ns)
        return work(*given, config=config, **more)

    monkeypatch.setattr(replay_command, "replay_trace", watched)
    for number, options in enumerate(([], ["--telemetry-s", "30"], ["--telemetry-s", "12.5"])):
        assert replay(day, tmp_path / str(number), "--brain", "ecmp", *options) == 0
    assert periods == [60 * 10**9, 30 * 10**9, 12_500_000_000]


def test_both_data_planes_give_one_result(tmp_path, day):
    for plane in ("compiled", "simpy"):
        assert replay(day, tmp_path / plane, "--brain", "ecmp", "--data-plane", plane) == 0
    for name in ("metrics.json", "stations.parquet", "pairs.parquet"):
        assert (tmp_path / "compiled" / "ecmp" / name).read_bytes() == (tmp_path / "simpy" / "ecmp" / name).read_bytes()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_ends_all_and_leaves_the_earlier_result(tmp_path, day, jobs):
    """As a terminal does it: every process of the command gets the signal. The plane is the slow one, to be caught."""
    out = tmp_path / "out"
    assert replay(day, out, "--brain", "ecmp") == 0
    before = contents(tmp_path)
    words = ["replay", "--trace", str(SAMPLE), "--out", str(out), "--data-plane", "simpy", "--jobs", jobs]
    # What is started in a shell's background ignores the signal, and so would all that it starts in turn.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heeding}; from exchange_router.main import run; run()", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        assert running.stderr.readline().startswith("checking")
        time.sleep(2)
        assert running.poll() is None, "there was nothing left to interrupt"
        os.killpg(running.pid, signal.SIGINT)
        said = running.communicate(timeout=30)[1]
    assert running.returncode == 130
    assert said == "exchange-router: interrupted; nothing was left half done\n"
    assert contents(tmp_path) == before


def test_results_say_where_they_come_from(tmp_path, day):
    assert replay(day, tmp_path / "out", "--brain", "ecmp", "--seed", "4") == 0
    origin = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["provenance"]
    assert origin["seed"] == 4
    assert origin["scenario"] == "toy"
    assert len(origin["scenario_digest"]) == len(origin["trace_digest"]) == 64
    assert origin["version"]
    assert origin["commit"]
    assert origin["command"].startswith("exchange-router replay --scenario toy")


def test_the_stored_report_is_remade_to_the_byte(tmp_path, day):
    assert replay(day, tmp_path / "out", "--brain", "ecmp") == 0
    report = tmp_path / "out" / "report.html"
    made = report.read_bytes()
    report.unlink()
    assert status(["report", str(tmp_path / "out")]) == 0
    assert report.read_bytes() == made


def test_a_replay_that_fails_leaves_the_earlier_result(tmp_path, day, monkeypatch, capsys):
    out = tmp_path / "out"
    assert replay(day, out, "--brain", "ecmp") == 0
    before = contents(tmp_path)

    def fails(_: Path) -> Path:
        raise ExchangeRouterError("the disk is full")

    monkeypatch.setattr(replay_command, "build", fails)
    assert replay(day, out, "--brain", "ecmp", "--seed", "9") == 1
    assert "the disk is full" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_bad_rows_fail_the_check_and_are_set_aside(tmp_path, day, capsys):
    with TraceReader(day) as reader:
        rows, info = reader.read_all(), reader.info
    target = rows.target.copy()
    target[7] = rows.source[7]
    bad = tmp_path / "bad.parquet"
    write_all(
        bad, info, type(rows)(**{**{name: getattr(rows, name) for name in rows.__dataclass_fields__}, "target": target})
    )
    assert status(["trace", "validate", str(bad), "--scenario", "toy", "--clean", str(tmp_path / "clean.parquet")]) == 1
    assert "row 7" in capsys.readouterr().err
    aside = pq.read_table(tmp_path / "bad.rejected.parquet")
    assert aside.num_rows == 1
    with TraceReader(tmp_path / "clean.parquet") as reader:
        clean = reader.read_all()
    assert np.array_equal(clean.submitted_ns, np.delete(rows.submitted_ns, 7))
    assert replay(bad, tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_summaries_follow_the_language(day, monkeypatch, capsys):
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "zh_CN.UTF-8")
    capsys.readouterr()
    assert status(["trace", "info", str(day)]) == 0
    assert "交换次数" in capsys.readouterr().out


def test_version(capsys):
    assert status(["--version"]) == 0
    assert capsys.readouterr().out.startswith("exchange-router ")
