"""Instructions are counted inside an extension alone, and a planted rise of two per cent is found."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path
from zlib import crc32

import compiled_work
import pytest
from made_gates import MadeGate

from benchmarks.gates.base import Base
from benchmarks.gates.callgrind import counted, marks, self_costs, work_of
from benchmarks.gates.gate import SkippedError, run
from benchmarks.gates.instructions import Instructions
from benchmarks.gates.records import Records
from benchmarks.gates.verdict import State

DUMP = """\
# callgrind format
version: 1
part: 2

desc: Trigger: Client Request: engine.fifo

positions: line
events: Ir
summary: 152604885

ob=/tree/core.so
fl=core.c
fn=run
40243 1000
40264 20
cob=/lib/libc.so.6
cfn=memcpy
calls=1113 0
40264 999999
40300 3

ob=/lib/libc.so.6
fl=???
fn=memcpy
0 999999
cob=/tree/core.so
cfn=run
calls=1 40243
0 1023

ob=/tree/core.so
fn=other
7 500
totals: 152604885
"""


def test_only_an_objects_own_cost_counts_not_that_of_its_calls():
    assert self_costs(DUMP.splitlines()) == {"/tree/core.so": 1523, "/lib/libc.so.6": 999999}


def test_a_dump_knows_which_work_it_is_of():
    assert work_of(DUMP.splitlines()) == "engine.fifo"
    assert work_of(["desc: Trigger: Program termination", "events: Ir"]) is None


def test_without_valgrind_the_gate_is_skipped_and_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    report = run(Instructions(), Records(tmp_path), Base())
    assert [(verdict.state, verdict.note) for verdict in report.verdicts] == [
        (State.SKIPPED, "valgrind is not installed")
    ]


@pytest.mark.parametrize("work", compiled_work.WORKS, ids=lambda work: work.name)
def test_all_of_the_counted_work_is_done(work):
    assert work.check(work.prepare()())


def splitmix(name: str, place: int, below: int) -> int:
    """The same draw in Python's integers."""
    whole = 2**64 - 1
    x = (place + (crc32(name.encode()) << 24)) * 0x9E3779B97F4A7C15 & whole
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & whole
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & whole
    return (x ^ (x >> 31)) % below


def test_draws_are_whole_numbers_that_no_library_can_change():
    for below in (2, 1_000, 10**12):
        assert compiled_work.drawn("any", 50, below).tolist() == [splitmix("any", place, below) for place in range(50)]


# An extension, as Python calls it: what ctypes calls through libffi is counted as libffi's, which moves the stack.
SOURCE = """
#include <Python.h>
static PyObject *work(PyObject *self, PyObject *given) {
    volatile long total = 0;
    for (long i = 0, n = PyLong_AsLong(given) * LOOPS; i < n; i++) total += i;
    return PyLong_FromLong(total);
}
static PyMethodDef methods[] = {{"work", work, METH_O, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "made_work", "", -1, methods};
PyMODINIT_FUNC PyInit_made_work(void) { return PyModule_Create(&module); }
"""
SCRIPT = """
import ctypes, sys
from made_work import work
marks = ctypes.CDLL(sys.argv[1])
for name in (b"short", b"longer"):
    marks.gate_begin()
    work(len(name))
    marks.gate_end(name)
"""


def tree_with(folder: Path, loops: int) -> Path:
    """A tree whose extension takes so many turns."""
    folder.mkdir()
    (folder / "made_work.c").write_text(SOURCE)
    include = f"-I{sysconfig.get_path('include')}"
    command = ["cc", "-shared", "-fPIC", include, f"-DLOOPS={loops}", "-o", "made_work.so", "made_work.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def test_a_planted_rise_of_two_per_cent_is_counted_to_the_instruction_and_fails(tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    try:
        marks(tmp_path)
    except SkippedError as reason:
        pytest.skip(str(reason))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def count(tree: Path) -> dict[str, float]:
        costs = counted(script, tree, tmp_path / "dumps")
        return {name: float(cost[str(tree / "made_work.so")]) for name, cost in costs.items()}

    before, again, after = (
        count(tree_with(tmp_path / name, loops)) for name, loops in (("one", 1_000), ("same", 1_000), ("more", 1_020))
    )
    assert before == again
    assert 0 < before["short"] < before["longer"] < 2 * before["short"]
    records = Records(tmp_path / "records")
    records.write("made", "this one", before)
    rule = Instructions().rule("any")
    verdicts = run(MadeGate([after], kind=rule), records, Base()).verdicts
    assert [verdict.state for verdict in verdicts] == [State.FAILED, State.FAILED]
    assert [verdict.state for verdict in run(MadeGate([again], kind=rule), records, Base()).verdicts] == [
        State.HELD
    ] * 2
