"""What is measured in processes of their own: planted memory and planted imports are seen, errors are told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.gates import starting
from benchmarks.gates.children import ROOT, WorkFailedError, told, work
from benchmarks.gates.memory import MB, Memory
from benchmarks.gates.starting import Imports, cpu_s
from benchmarks.gates.toolchain import compiled_with
from benchmarks.gates.verdict import State

PEAK = "import memory_work; {job}; print(memory_work.peak_bytes())"


def peak(job: str) -> int:
    return int(told([sys.executable, "-P", "-c", PEAK.format(job=job)], ROOT))


def test_planted_memory_is_in_the_peak_even_if_it_is_freed_and_however_much_the_parent_has():
    ballast = bytearray(300 * MB)
    ballast[::4096] = b"x" * len(ballast[::4096])
    plain, planted = (
        peak("pass"),
        peak("held = bytearray(64_000_000); held[::4096] = b'x' * len(held[::4096]); del held"),
    )
    assert plain < 100 * MB
    assert 60 * MB < planted - plain < 70 * MB
    assert Memory().rule("any").state(planted, plain) is State.FAILED
    del ballast


def test_a_job_of_memory_is_done():
    assert told([*work("memory_work.py"), "scenario", "."], ROOT) > 20 * MB


def test_a_planted_import_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(starting, "COMMANDS", ())
    monkeypatch.setattr(starting, "MODULES", ("made_package",))
    (tmp_path / "made_package.py").write_text("import json\n")
    assert Imports().measure(tmp_path) == {}
    (tmp_path / "made_package.py").write_text("import json, numpy.linalg\n")
    assert Imports().measure(tmp_path) == {"import made_package: numpy": 1.0}


def test_a_tree_of_its_own_comes_before_what_is_installed(tmp_path):
    (tmp_path / "router_core").mkdir()
    (tmp_path / "router_core" / "__init__.py").write_text("HERE = 'the tree'\n")
    code = "import json, router_core; print(json.dumps(router_core.HERE))"
    assert told([sys.executable, "-P", "-c", code], tmp_path) == "the tree"


def test_work_that_fails_says_its_last_words():
    with pytest.raises(WorkFailedError, match="ValueError: the work was not done"):
        told([sys.executable, "-c", "raise ValueError('the work was not done')"], ROOT)
    with pytest.raises(WorkFailedError, match="code 3"):
        told([sys.executable, "-c", "raise SystemExit(3)"], ROOT)


def test_what_a_start_takes_is_a_time_and_a_start_that_fails_is_an_error():
    assert cpu_s([sys.executable, "-c", "pass"], ROOT) > 0
    with pytest.raises(WorkFailedError, match="code 1"):
        cpu_s([sys.executable, "-c", "raise SystemExit(1)"], ROOT)


def test_an_extension_says_what_it_was_built_with(tmp_path: Path):
    made = tmp_path / "any.so"
    made.write_bytes(b"\0GCC: (Debian 12.2.0-14) 12.2.0\0_cython_3_3_1\0")
    assert compiled_with(made).startswith("GCC: (Debian 12.2.0-14) 12.2.0, Cython 3.3.1, flags ")
    made.write_bytes(b"\0")
    assert compiled_with(made).startswith("compiler unknown, Cython unknown, ")
