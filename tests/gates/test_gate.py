"""What any gate says of planted losses: found above the limit, forgiven once, told where nothing can be compared."""

from __future__ import annotations

import math

import pytest
from made_gates import TREE, MadeBase, MadeGate

from benchmarks.gates.children import ROOT, WorkFailedError
from benchmarks.gates.gate import SkippedError, record, run
from benchmarks.gates.instructions import Instructions
from benchmarks.gates.memory import Memory
from benchmarks.gates.quality import Quality
from benchmarks.gates.ratios import Ratios
from benchmarks.gates.records import FOLDER, Records
from benchmarks.gates.runner import GATES, exit_code
from benchmarks.gates.starting import Imports, Starting
from benchmarks.gates.verdict import Rule, State

NO_BASE = MadeBase(reason="no history")


def states(report) -> dict[str, str]:
    return {verdict.figure: str(verdict.state) for verdict in report.verdicts}


def recorded(tmp_path, **figures) -> Records:
    records = Records(tmp_path)
    records.write("made", "this one", figures)
    return records


@pytest.mark.parametrize(
    ("gate", "figure", "before", "lost", "held"),
    [
        (Instructions(), "engine.fifo", 48_600_000, 49_090_000, 49_080_000),
        (Ratios(), "kernel", 2.0, 2.22, 2.19),
        (Memory(), "replay", 337_000_000, 356_000_000, 355_000_000),
        (Starting(), "--help", 1.4, 1.55, 1.53),
        (Imports(), "--help: numba", 0.0, 1.0, 0.0),
        (Quality(), "split.above_optimum.worst", 0.001, 0.0022, 0.0019),
        (Quality(), "replay.ecmp.p99_ns", 733_023_079_609, 733_023_079_610, 733_023_079_609),
        (Quality(), "surges.missed", 0, 1, 0),
    ],
    ids=lambda value: value.name if hasattr(value, "rule") else None,
)
def test_each_gate_finds_the_least_loss_that_it_should(gate, figure, before, lost, held):
    assert gate.rule(figure).state(lost, before) is State.FAILED
    assert gate.rule(figure).state(held, before) is State.HELD


def test_what_is_no_number_never_holds():
    assert Rule(0.1).state(math.nan, 1.0) is State.FAILED
    assert Rule(0.1).state(math.inf, 1.0) is State.FAILED


def test_a_planted_loss_fails_and_what_is_better_asks_for_a_record(tmp_path):
    gate = MadeGate([{"worse": 1.2, "as before": 1.05, "better": 0.8}])
    report = run(gate, recorded(tmp_path, **{"worse": 1.0, "as before": 1.0, "better": 1.0}), NO_BASE)
    assert states(report) == {"worse": "FAILED", "as before": "held", "better": "better"}
    assert report.failed
    assert exit_code([report], strict=False) == 1
    line = next(verdict.line() for verdict in report.verdicts if verdict.state is State.FAILED)
    assert line.split() == ["FAILED", "made", "worse", "1.2", "(recorded", "1,", "limit", "1.1,", "+20.00%)"]


def test_a_figure_fails_only_when_it_is_above_in_every_attempt(tmp_path):
    gate = MadeGate([{"one": 1.3, "other": 1.3, "calm": 1.0}, {"one": 1.2, "other": 1.01}, {"one": 1.15}], attempts=3)
    report = run(gate, recorded(tmp_path, one=1.0, other=1.0, calm=1.0), NO_BASE)
    assert states(report) == {"one": "FAILED", "other": "held", "calm": "held"}
    # Only what was above is measured again.
    assert [only for _, only in gate.asked] == [None, {"one", "other"}, {"one"}]
    assert "3 times in a row" in next(verdict.note for verdict in report.verdicts if verdict.figure == "one")


def test_a_figure_that_disappears_is_found_and_a_new_one_is_told(tmp_path):
    report = run(MadeGate([{"new": 1.0}]), recorded(tmp_path, old=1.0), NO_BASE)
    assert states(report) == {"new": "open", "old": "FAILED"}
    assert '"new": 1.0' in report.to_record


def test_where_absence_means_something_what_is_new_is_compared_with_it(tmp_path):
    report = run(
        MadeGate([{"new": 1.0}], absent=0.0, kind=Rule(0.0)), recorded(tmp_path, **{"--help: pydantic": 1.0}), NO_BASE
    )
    assert states(report) == {"new": "FAILED", "--help: pydantic": "better"}


def test_a_toolchain_that_is_not_on_record_is_compared_with_the_base_in_the_same_run(tmp_path):
    gate = MadeGate([{"worse": 1.2, "as before": 2.0}], base={"worse": 1.0, "as before": 2.0})
    report = run(gate, Records(tmp_path), MadeBase())
    assert states(report) == {"worse": "FAILED", "as before": "held"}
    assert [tree for tree, _ in gate.asked] == [ROOT, TREE]
    assert '"this one"' in report.to_record


def test_against_the_base_a_second_attempt_measures_both_again(tmp_path):
    gate = MadeGate([{"noisy": 1.3}, {"noisy": 1.0}], base={"noisy": 1.0}, attempts=3)
    report = run(gate, Records(tmp_path), MadeBase())
    assert states(report) == {"noisy": "held"}
    assert [tree for tree, _ in gate.asked] == [ROOT, TREE, ROOT, TREE]


def test_sources_that_are_those_of_the_base_hold_without_building_it(tmp_path):
    gate = MadeGate([{"any": 1.0}])
    report = run(gate, Records(tmp_path), MadeBase(same=("any",)))
    assert states(report) == {"any": "held"}
    assert [tree for tree, _ in gate.asked] == [ROOT]
    assert "0123456789ab" in report.verdicts[0].note


def test_only_what_has_changed_since_the_base_is_measured_there(tmp_path):
    gate = MadeGate([{"changed": 1.3, "as it was": 7.0, "new": 1.0}], base={"changed": 1.0, "as it was": 1.0})
    report = run(gate, Records(tmp_path), MadeBase(same=("as it was",)))
    assert states(report) == {"changed": "FAILED", "as it was": "held", "new": "open"}
    assert gate.asked == [(ROOT, None), (TREE, {"changed", "new"})]


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_sources_that_figures_depend_on_exist(gate):
    for figures in Records(FOLDER)._all(gate.name).values():
        for figure in figures:
            assert all(list(ROOT.glob(path)) for path in gate.sources(figure)), figure


def test_without_record_and_base_it_says_so_and_fails_only_where_that_is_asked_for(tmp_path):
    report = run(MadeGate([{"any": 1.0}]), Records(tmp_path), NO_BASE)
    assert states(report) == {"any": "open"}
    assert "no record for this toolchain, and no base: no history" in report.verdicts[0].note
    assert exit_code([report], strict=False) == 0
    assert exit_code([report], strict=True) == 1


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [(SkippedError("no valgrind"), State.SKIPPED, 0), (WorkFailedError("the work was not done"), State.FAILED, 1)],
)
def test_what_cannot_be_measured_is_told_with_its_reason(tmp_path, error, state, code):
    report = run(MadeGate([], error=error), Records(tmp_path), NO_BASE)
    assert [verdict.state for verdict in report.verdicts] == [state]
    assert report.verdicts[0].note == str(error)
    assert exit_code([report], strict=False) == code


def test_the_median_of_passes_goes_on_record_and_other_toolchains_keep_theirs(tmp_path):
    records = Records(tmp_path)
    records.write("made", "another", {"kept": 1.0})
    values = iter([5.0, 1.0, 3.0])
    gate = MadeGate([{"figure": 0.0}])
    gate.measure = lambda tree: {"figure": next(values)}  # type: ignore[method-assign]
    record(gate, records, passes=3)
    assert records.of("made", "this one") == {"figure": 3.0}
    assert records.of("made", "another") == {"kept": 1.0}


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_each_gate_has_a_record_whose_figures_pass_its_own_rule(gate):
    stored = Records(FOLDER)._all(gate.name)
    assert stored, f"make gates-record GATES_ARGS='--only {gate.name}'"
    for figures in stored.values():
        assert figures
        for name, value in figures.items():
            assert gate.rule(name).state(value, value) is State.HELD
