"""`tune` on the toy province: the same bytes whoever works and however often it is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tuned_toy
from tuned_toy import minutes, toy_brain, toy_order, tuned_by

from exchange_router.main import status
from router_core.errors import BadInputError
from router_core.randomness import stream
from sim.brain_setting import read_setting, stated
from sim.report.blocks import Words
from sim.studies.study import StudyFolder, read_study
from sim.studies.traffic import Draw, Traffic
from sim.studies.tuning import tune as tune_module
from sim.studies.tuning.journal import JOURNAL, Journal, Values
from sim.studies.tuning.parameters import chosen_parameters
from sim.studies.tuning.scenes import Run, alike, lived
from sim.studies.tuning.tune import Tuned, TuneOrder, checked_brain
from sim.studies.tuning.tune_study import WINNER_FILE, study_folder
from sim.studies.tuning.winner import KNEE
from strategies.dynamic.setting import DynamicSetting
from traces.reader import TraceReader


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_brain(tmp_path_factory.mktemp("brain"))


@pytest.fixture(scope="module")
def order(brain: Path) -> TuneOrder:
    return toy_order(brain, (minutes(),), (minutes(8),))


@pytest.fixture(scope="module")
def tuned(order: TuneOrder, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    return tuned_by("here", order, tmp_path_factory.mktemp("work"))


def folder(order: TuneOrder, tuned: Tuned) -> StudyFolder:
    return study_folder(order, tuned, {"command": "exchange-router tune"}, Words("Toy", "玩具"))


def content(order: TuneOrder, tuned: Tuned) -> list[object]:
    """All that a study's folder says."""
    made = folder(order, tuned)
    tables = {name: table.to_pydict() for name, table in made.tables.items()}
    return [made.study.model_dump_json(), made.page.model_dump_json(), repr(tables), made.files]


def made_up(run: Run) -> Values:
    """What a run might bring, from its setting and seed alone; some two that are alike."""
    random = stream(run.scene.seed, "made up")
    wave = abs(run.brain.setting.busy - 0.6) + random.uniform(0, 0.02)
    return {
        "p99.query": 1e9 * (1 + wave),
        "missed.all": float(round(20 * wave)),
        "churn": run.brain.setting.step_max,
        "capacity": 3.0,
    }


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_same_bytes_whoever_works(workers: str, order: TuneOrder, tuned: Tuned, tmp_path: Path) -> None:
    assert content(order, tuned_by(workers, order, tmp_path)) == content(order, tuned)
    # Settings make a difference here, or nothing is compared.
    assert len({one.values.tobytes() for one in tuned.trials}) > 3


def test_killed_at_any_time_it_goes_on_to_the_same_end(order: TuneOrder, tuned: Tuned, tmp_path: Path) -> None:
    random = stream(3, "kills")
    words = [sys.executable, tuned_toy.__file__, order.brain.prepared, order.traffic.traces[0]]
    assert order.unseen is not None
    words += [order.unseen.traces[0], tmp_path]
    journal, killed, lines = tmp_path / JOURNAL, 0, 0
    for _ in range(3):
        process = subprocess.Popen(list(map(str, words)), env={"PYTHONPATH": str(Path(tuned_toy.__file__).parent)})
        goal = lines + int(random.integers(2, 6))
        while process.poll() is None and (lines_of(journal) < goal):
            time.sleep(0.005)
        time.sleep(float(random.uniform(0, 0.1)))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert lines_of(journal) >= lines
        lines = lines_of(journal)
    assert killed >= 2
    assert lines > 4
    assert content(order, tuned_by("here", order, tmp_path)) == content(order, tuned)


def lines_of(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


@pytest.mark.parametrize("seed", range(2))
def test_a_journal_cut_anywhere_loses_only_what_was_cut(
    seed: int, order: TuneOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Run] = []

    def counted(run: Run) -> Values:
        asked.append(run)
        return made_up(run)

    monkeypatch.setattr(tune_module, "lived", counted)
    order = replace(order, trials=20, seed=seed, parameters=chosen_parameters(["busy", "step_max"]))
    whole = content(order, tuned_by("here", order, tmp_path))
    replays, journal = len(asked), tmp_path / JOURNAL
    written = journal.read_bytes()
    assert written.count(b"\n") == replays + 1
    for cut in [0, 1, len(written), *stream(seed, "cuts").integers(len(written), size=3).tolist()]:
        journal.write_bytes(written[:cut])
        asked.clear()
        assert content(order, tuned_by("here", order, tmp_path)) == whole
        assert len(asked) == min(replays, replays + 1 - written[:cut].count(b"\n"))
        assert journal.read_bytes() == written


def test_more_trials_go_on_where_fewer_ended(order: TuneOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune_module, "lived", made_up)
    longer = replace(order, trials=24)
    tuned_by("here", replace(order, trials=16), tmp_path / "one")
    grown = tuned_by("here", longer, tmp_path / "one")
    assert content(longer, grown) == content(longer, tuned_by("here", longer, tmp_path / "other"))


def test_another_search_in_the_same_folder_is_refused(
    order: TuneOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune_module, "lived", made_up)
    tuned_by("here", order, tmp_path)
    others = {
        "seed": replace(order, seed=9),
        "brain": replace(order, brain=replace(order.brain, name="probing")),
        "parameters": replace(order, parameters=chosen_parameters(["busy"])),
        "warm-up": replace(order, warm_up_ns=1),
        "scenes": replace(order, traffic=Traffic(traces=(minutes(9),))),
        "objectives": replace(order, wish=replace(order.wish, objectives=("churn",), prefer="churn", allowance=(0.0,))),
    }
    before = (tmp_path / JOURNAL).read_bytes()
    for name, other in others.items():
        with pytest.raises(BadInputError, match="must be as in the search that was begun there") as caught:
            tuned_by("here", other, tmp_path)
        assert caught.value.place in (name, "scenes", "unseen scenes")
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_a_journal_at_work_or_of_something_else_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path, {"seed": 1}) as one:
        one.put("a", {"churn": None})
        with pytest.raises(BadInputError, match="another process"):
            Journal(tmp_path, {"seed": 1})
    with Journal(tmp_path, {"seed": 1}) as again:
        assert again.get("a") == {"churn": None}
        assert again.get("b") is None
    (tmp_path / JOURNAL).write_text("nonsense\n")
    with pytest.raises(BadInputError, match="whole lines"):
        Journal(tmp_path, {"seed": 1})


def test_each_trial_met_the_same_scenes(order: TuneOrder, tuned: Tuned) -> None:
    """What a trial brought is what its setting brings by itself, and the default is the first of them."""
    assert tuned.trials[0].parameters == {
        one.name: tuned.trials[0].parameters[one.name] for one in chosen_parameters([])
    }
    last = tuned.trials[-1]
    brain = replace(order.brain, setting=last.setting)
    for scene, found in zip(tuned.seen, last.found, strict=False):
        assert lived(Run("toy", (), scene, brain, tuned.warm_up_ns)) == found
    assert len({scene.seed for scene in (*tuned.seen, *tuned.unseen)}) == 4
    assert not {scene.digest for scene in tuned.seen} & {scene.digest for scene in tuned.unseen}
    assert not np.any(tuned.trials[0].changes)


@pytest.mark.parametrize("prefer", [None, "churn", KNEE])
def test_a_winner_that_does_not_hold_is_no_winner(
    prefer: str | None, order: TuneOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unseen scenes turn every gain into a loss: the defaults are written, and said to be the defaults."""
    assert order.unseen is not None
    unseen = order.unseen.traces[0]

    def treacherous(run: Run) -> Values:
        usual = made_up(replace(run, brain=checked_brain("dynamic", run.brain.prepared, "toy", ())))
        found = made_up(run)
        if run.scene.trace != unseen:
            return found
        return {name: 2 * (usual[name] or 0.0) - (found[name] or 0.0) for name in found}

    monkeypatch.setattr(tune_module, "lived", treacherous)
    wish = toy_order(order.brain.prepared or Path(), (minutes(),), (unseen,), prefer=prefer).wish
    order = replace(order, trials=30, wish=wish)
    tuned = tuned_by("here", order, tmp_path)
    made = folder(order, tuned)
    if prefer != KNEE:
        assert tuned.found.number > 0
        assert tuned.winner.number == 0
        assert made.study.verdict.good is False
        assert "does not beat the defaults" in made.study.verdict.text.en
        assert b"These are the defaults." in made.files[WINNER_FILE]
    (tmp_path / "w.toml").write_bytes(made.files[WINNER_FILE])
    assert read_setting(tmp_path / "w.toml") == tuned.winner.setting

    monkeypatch.setattr(tune_module, "lived", made_up)
    honest = tuned_by("here", order, tmp_path / "honest")
    verdict = folder(order, honest).study.verdict
    assert verdict.good is (honest.winner.number > 0)
    assert honest.winner is honest.found
    assert "beats the defaults on unseen traces" in verdict.text.en


def test_where_nothing_makes_a_difference_the_defaults_stay(
    order: TuneOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune_module, "lived", lambda run: dict.fromkeys(order.wish.objectives, 0.0))
    tuned = tuned_by("here", order, tmp_path)
    assert (tuned.found.number, tuned.winner.number, tuned.effects, tuned.score) == (0, 0, [], [])
    made = folder(order, tuned)
    assert made.study.verdict.good is None
    assert len(made.tables["unseen"]) == 0
    assert len(made.tables["trials"]) == order.trials + 1


def test_tables_say_what_was_lived(order: TuneOrder, tuned: Tuned) -> None:
    tables = folder(order, tuned).tables
    replays = tables["replays"].to_pydict()
    assert replays["trial"] == [one.number for one in tuned.trials for _ in one.found]
    assert tables["trials"]["scenes"].to_pylist() == [replays["trial"].count(one.number) for one in tuned.trials]
    assert sum(tables["trials"]["on_front"].to_pylist()) == len(tuned.front) > 0
    assert tables["parameters"].num_rows == len(order.parameters)


def test_unseen_traffic_is_like_what_was_seen(tmp_path: Path) -> None:
    trace = minutes()
    draw = alike(trace, "toy", (), tmp_path, 5)
    with TraceReader(trace) as reader:
        assert draw.start == reader.info.start.replace(tzinfo=None)
        assert draw.span.total_seconds() * 1e9 == reader.info.span_ns
        again = alike(trace, "toy", (), tmp_path, 5)
        # As many as the trace has, if the usual number for each unit of load is what was drawn to count.
        drawn = Draw(draw.start, draw.span)
        assert again == draw
        assert drawn.load * 1.5 < draw.load, "a rush is more than usual"


@pytest.mark.parametrize("name", ["static", "ecmp", "nobody"])
def test_a_brain_without_a_setting_is_refused(name: str, brain: Path) -> None:
    with pytest.raises(BadInputError, match="dynamic, probing") as caught:
        checked_brain(name, brain, "toy", ())
    assert ("brain fit" in str(caught.value)) == (name == "static")


def test_a_brain_of_another_network_is_refused(brain: Path) -> None:
    with pytest.raises(BadInputError, match="must be made for the network of scenario jiangxi"):
        checked_brain("dynamic", brain, "jiangxi", ())


def test_the_probing_brain_is_tuned_too(brain: Path, tmp_path: Path) -> None:
    order = toy_order(brain, (minutes(),), (minutes(8),), trials=1, name="probing", parameters=("busy",))
    tuned = tuned_by("here", replace(order, scenes=1), tmp_path)
    assert len(tuned.trials) == 2
    assert json.loads(folder(order, tuned).study.model_dump_json())["found"]["brain"] == "probing"


# The command line.


def words_of(order: TuneOrder, out: Path, *more: str) -> list[str]:
    assert order.unseen is not None
    return [
        "tune",
        *("--scenario", "toy", "--prepared", str(order.brain.prepared), "--out", str(out), "--workers", "here"),
        *("--trace", str(order.traffic.traces[0]), "--unseen", str(order.unseen.traces[0])),
        *("--trials", "9", "--scenes", "2", "--unseen-scenes", "2", "--json", *more),
    ]


def test_the_command_writes_a_folder_whose_winner_a_replay_takes(
    order: TuneOrder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tune_module, "lived", made_up)
    out = tmp_path / "out"
    words = words_of(order, out)
    assert status(words) == 0
    document = json.loads(capsys.readouterr().out)
    study, page = read_study(out)
    assert study.kind == "tune"
    assert study.tables == ["parameters", "replays", "trials", "unseen"]
    assert page.verdict == study.verdict
    assert document["verdict"]["text"] == list(study.verdict.text)
    assert document["found"]["winner"]["trial"] > 0
    setting = read_setting(out / WINNER_FILE)
    assert {**stated(setting)} == {**stated(DynamicSetting()), **document["found"]["winner"]["parameters"]}

    # The same command finds all in its journal, and writes the same bytes.
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    monkeypatch.setattr(tune_module, "lived", None)
    assert status(words) == 0
    capsys.readouterr()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before

    replayed = ["replay", "--scenario", "toy", "--trace", str(order.traffic.traces[0]), "--out", str(tmp_path / "run")]
    replayed += ["--brain", "dynamic", "--prepared", str(order.brain.prepared), "--setting", str(out / WINNER_FILE)]
    assert status([*replayed, "--jobs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provenance"]["setting_digest"]


@pytest.mark.parametrize(
    ("more", "place"),
    [
        (["--brain", "static"], "--brain"),
        (["--objective", "speed"], "--objective"),
        (["--parameter", "busy=2..3"], "--parameter"),
        (["--prefer", "p50.all"], "--prefer"),
        (["--allow", "churn"], "--allow"),
        (["--warm-up-s", "-1"], "--warm-up-s"),
        (["--start", "2026-03-09T09:00"], "--trace"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_lived(
    more: list[str],
    place: str,
    order: TuneOrder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tune_module, "lived", None)
    assert status(words_of(order, tmp_path / "out", *more)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"exchange-router: {place}: ")
    assert not list(tmp_path.iterdir())
