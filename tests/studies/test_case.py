"""Cases, traffic and a study's folder: what all studies are made of."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from learnt_toy import hours
from tuned_toy import toy_brain

import scenarios
from router_core.errors import BadInputError
from sim.brain_setting import setting_of, write_setting
from sim.replay import live
from sim.report.blocks import Page, TextBlock, Verdict, Words
from sim.studies.case import BrainChoice, Case, brain_of, live_case, platform_of
from sim.studies.study import PAGE_FILE, STUDY_FILE, Study, StudyFolder, is_study, read_study, replaceable, write_study
from sim.studies.traffic import Draw, DrawnTrace, Traffic, checked, drawn
from strategies.registry import make_brain
from traces.reader import TraceReader

MINUTES = Draw(datetime(2026, 3, 9, 9), timedelta(minutes=3), exchanges_per_day=40_000)


def test_a_case_is_a_replay_from_names_and_files(tmp_path: Path) -> None:
    trace, toy = hours(9.0, 0.05), scenarios.load("toy")
    shares: list[float] = []
    found = live_case(Case("toy", trace, BrainChoice("ecmp"), seed=3), shares.append)
    plain = live(toy, trace, make_brain("ecmp", toy.network), seed=3)
    np.testing.assert_array_equal(found.done.took_ns, plain.done.took_ns)
    assert shares == sorted(shares)
    assert max(shares) >= 1.0
    other = live_case(Case("toy", trace, BrainChoice("ecmp"), seed=4))
    assert (other.done.took_ns != plain.done.took_ns).any()
    faster = live_case(Case("toy", trace, BrainChoice("ecmp"), seed=3, changes=("lines x5",)))
    assert faster.done.took_ns.mean() < plain.done.took_ns.mean()
    # A learnt brain comes from its file, new for each case.
    brain = toy_brain(tmp_path)
    case = Case("toy", trace, BrainChoice("static", brain), seed=3)
    assert brain_of(case).name == "static"
    assert brain_of(case) is not brain_of(case)
    assert platform_of("toy") is platform_of("toy")
    assert platform_of("toy", ("lines x5",)).digest != platform_of("toy").digest


def test_brains_by_name_and_files(tmp_path: Path) -> None:
    setting = tmp_path / "one.toml"
    write_setting(setting, setting_of({"busy": 0.7}))
    found = BrainChoice.of_files("dynamic", Path("week.brain"), setting)
    assert (found.prepared, found.setting.busy) == (Path("week.brain"), 0.7)
    assert BrainChoice.of_files("ecmp", Path("week.brain"), None).prepared is None
    for words, said in (
        (("clever", None, None), "must be one of"),
        (("static", None, None), "--prepared"),
        (("ecmp", None, setting), "--setting"),
        (("static", Path("f"), setting), "--setting"),
    ):
        with pytest.raises(BadInputError, match=said):
            BrainChoice.of_files(*words)


def test_drawn_traces_are_named_by_all_that_they_depend_on(tmp_path: Path) -> None:
    order = DrawnTrace(tmp_path, "toy", (), MINUTES, 1)
    path = drawn(order)
    first = path.read_bytes()
    before = path.stat().st_mtime_ns
    assert drawn(order) == path
    assert path.stat().st_mtime_ns == before  # what is there is not drawn again
    path.unlink()
    assert drawn(order).read_bytes() == first
    others = [
        replace(order, seed=2),
        replace(order, changes=("demand x2",)),
        *(
            replace(order, draw=replace(MINUTES, **change))
            for change in (
                {"start": datetime(2026, 3, 9, 10)},
                {"span": timedelta(minutes=4)},
                {"load": 2.0},
                {"exchanges_per_day": 50_000},
                {"surges": ("enrolment@2026-03-09T09:01x3",)},
            )
        ),
    ]
    assert len({one.path for one in (order, *others)}) == 1 + len(others)
    # Changes that come to nothing are the scenario itself.
    assert replace(order, changes=("lines x2", "lines x0.5")).path == path
    with TraceReader(drawn(others[0])) as reader:
        assert reader.info.span_ns == 180 * 10**9
    with pytest.raises(BadInputError):
        drawn(replace(order, draw=replace(MINUTES, load=-1.0)))


def test_traffic_is_given_or_drawn(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="--trace"):
        Traffic()
    with pytest.raises(BadInputError, match="--trace"):
        Traffic(traces=(Path("f"),), draw=MINUTES)
    checked(Traffic(traces=(hours(9.0, 0.05),)), "toy")
    checked(Traffic(draw=MINUTES), "toy")
    with pytest.raises(BadInputError):
        checked(Traffic(traces=(hours(9.0, 0.05),)), "jiangxi")


def folder(text: str = "Found.") -> StudyFolder:
    verdict = Verdict(text=Words(text, "结论"), confidence=0.95, good=True)
    page = Page(
        title=Words("T", "题"),
        scenario=Words("Toy", "玩具"),
        verdict=verdict,
        blocks=[TextBlock(title=Words("How", "方法"), text=Words("So.", "如此。"))],
    )
    origin = {"command": "exchange-router compare", "version": "0", "commit": "unknown"}
    study = Study(kind="compare", provenance=origin, verdict=verdict, seeds=[1, 2], found={"a": 1})
    return StudyFolder(study, page, {"runs": pa.table({"x": [1, 2]})}, {"more.toml": b"x = 1\n"})


def test_a_folder_comes_back_as_it_was_written(tmp_path: Path) -> None:
    out, made = tmp_path / "study", folder()
    assert not is_study(out)
    replaceable(out)
    assert write_study(out, made).read_bytes()
    assert is_study(out)
    study, page = read_study(out)
    assert page == made.page
    assert study == made.study.model_copy(update={"tables": ["runs"]})
    assert pq.read_table(out / "runs.parquet").to_pydict() == {"x": [1, 2]}
    assert (out / "more.toml").read_bytes() == b"x = 1\n"
    # Equal studies are equal bytes, and the new one takes the place of the old one altogether.
    before = {one.name: one.read_bytes() for one in out.iterdir()}
    (out / "stale.parquet").write_bytes(b"")
    replaceable(out)
    write_study(out, made)
    assert {one.name: one.read_bytes() for one in out.iterdir()} == before
    assert [one.name for one in tmp_path.iterdir()] == ["study"]


def test_a_study_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "study"
    write_study(out, folder("First."))

    def fails(*_: object, **__: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(pq, "write_table", fails)
    with pytest.raises(OSError, match="no room"):
        write_study(out, folder("Second."))
    assert read_study(out)[0].verdict.text.en == "First."
    assert [one.name for one in tmp_path.iterdir()] == ["study"]


def test_places_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    file, full = tmp_path / "file", tmp_path / "full"
    file.write_bytes(b"")
    full.mkdir()
    replaceable(full)
    (full / "letter.txt").write_bytes(b"dear")
    for place in (file, full):
        with pytest.raises(BadInputError, match="--out"):
            replaceable(place)


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        (STUDY_FILE, "kind", "guess"),
        (STUDY_FILE, "format", 2),
        (STUDY_FILE, "seeds", [-1]),
        (STUDY_FILE, "verdict", {"text": ["a", "b"], "confidence": 2.0}),
        (PAGE_FILE, "blocks", [{"kind": "cloud"}]),
        (PAGE_FILE, "colour", "red"),
    ],
)
def test_a_document_that_breaks_a_rule_is_named(file: str, key: str, value: object, tmp_path: Path) -> None:
    out = tmp_path / "study"
    write_study(out, folder())
    path = out / file
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {key: value}), encoding="utf-8")
    with pytest.raises(BadInputError, match=f"{file}.*{key}"):
        read_study(out)
    path.unlink()
    with pytest.raises(BadInputError, match=file):
        read_study(out)
