"""The command: one line a figure, one JSON document, and exit codes that CI reads."""

from __future__ import annotations

import json

import pytest
from made_gates import MadeGate

from benchmarks.gates import __main__ as command
from benchmarks.gates import runner
from benchmarks.gates.records import Records


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Two gates, one of which fails, and their records."""
    gates = (MadeGate([{"a": 1.0}], name="calm"), MadeGate([{"b": 2.0}], name="lost"))
    monkeypatch.setattr(runner, "GATES", gates)
    monkeypatch.setattr(command, "GATES", gates)
    records = Records(tmp_path)
    records.write("calm", "this one", {"a": 1.0})
    records.write("lost", "this one", {"b": 1.0})
    return ["--records", str(tmp_path)]


def test_one_line_a_figure_the_failed_ones_last_and_exit_1(made, capsys):
    assert command.main(made) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["held", "calm", "a"], ["FAILED", "lost", "b"]]


def test_only_some_gates(made, capsys):
    assert command.main([*made, "--only", "calm"]) == 0
    assert "lost" not in capsys.readouterr().out


def test_a_gate_that_does_not_exist_is_told_with_those_that_do(made, capsys):
    assert command.main([*made, "--only", "nothing"]) == 2
    assert "must be one of calm, lost, got 'nothing'" in capsys.readouterr().err


def test_one_json_document(made, capsys):
    assert command.main([*made, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["lost"]["figures"] == {"b": 2.0}
    assert told["lost"]["verdicts"][0]["state"] == "FAILED"
    assert told["lost"]["verdicts"][0]["limit"] == pytest.approx(1.1)


def test_what_is_recorded_holds_from_then_on(made, capsys):
    assert command.main([*made, "--record"]) == 0
    assert command.main(made) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_what_is_not_on_record_is_printed_as_it_would_be_committed(made, tmp_path, capsys, monkeypatch):
    (tmp_path / "calm.json").unlink()
    assert command.main([*made, "--only", "calm"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("open")
    assert json.loads("{" + told.split("calm.json: {", 1)[1]) == {"this one": {"a": 1.0}}
