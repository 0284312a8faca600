"""What `tune` writes: verdict, page, tables, and the winner as a setting file."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow as pa

from sim.brain_setting import write_setting
from sim.report.blocks import Page, Verdict, Words
from sim.studies.measures import measure
from sim.studies.study import Study, StudyFolder
from sim.studies.tuning.parameters import defaults
from sim.studies.tuning.search import Trial
from sim.studies.tuning.tune import Tuned, TuneOrder
from sim.studies.tuning.tune_page import blocks_of
from sim.studies.tuning.winner import CONFIDENCE, KNEE, Effect

WINNER_FILE: Final = "winner.toml"


def study_folder(order: TuneOrder, tuned: Tuned, provenance: dict[str, Any], scenario: Words) -> StudyFolder:
    """Return all that is written, from what was found."""
    verdict = verdict_of(order, tuned)
    page = Page(
        title=Words(f"Tuning of {order.brain.name}", f"{order.brain.name} 参数调优"),
        scenario=scenario,
        verdict=verdict,
        blocks=blocks_of(order, tuned),
    )
    study = Study(
        kind="tune",
        provenance=provenance,
        verdict=verdict,
        seeds=[scene.seed for scene in (*tuned.seen, *tuned.unseen)],
        found=found_of(order, tuned),
    )
    tables = {
        "trials": _trials(order, tuned),
        "replays": _replays(tuned),
        "parameters": _parameters(order, tuned),
        "unseen": _unseen(tuned),
    }
    return StudyFolder(study, page, tables, {WINNER_FILE: _winner_file(tuned, verdict, provenance)})


def verdict_of(order: TuneOrder, tuned: Tuned) -> Verdict:
    """Return the answer in one sentence."""
    count = len(tuned.unseen)
    if not tuned.effects:
        en = f"No setting among {order.trials} trials beats the defaults within what is allowed; they stay"
        return Verdict(
            text=Words(en, f"{order.trials} 次试验中没有在允许范围内优于默认值的参数；保留默认值"), good=None
        )
    effect = _shown_effect(order, tuned)
    title = measure(effect.objective).title
    span = f"{_percent(effect.change)} % [{_percent(effect.low)}, {_percent(effect.high)}]"
    if tuned.winner is tuned.found:
        en = f"Trial {tuned.found.number} beats the defaults on unseen traces: {title.en} {span}, {count} scenes"
        zh = f"第 {tuned.found.number} 次试验在未见轨迹上优于默认值：{title.zh} {span}，{count} 个场景"
        return Verdict(text=Words(en, zh), confidence=CONFIDENCE, good=True)
    worse = [one for one, share in zip(tuned.effects, order.wish.allowance, strict=True) if one.low > share]
    why_en = f", and {measure(worse[0].objective).title.en} grow worse" if worse else ""
    why_zh = f"，且{measure(worse[0].objective).title.zh}变差" if worse else ""
    en = f"Trial {tuned.found.number} does not beat the defaults on unseen traces: {title.en} {span}, {count} scenes"
    zh = f"第 {tuned.found.number} 次试验在未见轨迹上未能优于默认值：{title.zh} {span}，{count} 个场景"
    kept = Words(f"{en}{why_en}; the defaults stay", f"{zh}{why_zh}；保留默认值")
    return Verdict(text=kept, confidence=CONFIDENCE, good=False)


def found_of(order: TuneOrder, tuned: Tuned) -> dict[str, Any]:
    """Return what the study tells programs; JSON's types."""
    return {
        "brain": order.brain.name,
        "objectives": list(order.wish.objectives),
        "prefer": order.wish.prefer,
        "allowance": dict(zip(order.wish.objectives, order.wish.allowance, strict=True)),
        "trials": order.trials,
        "pruned": sum(one.pruned for one in tuned.trials),
        "replays": sum(len(one.found) for one in tuned.trials) + 2 * len(tuned.score),
        "front": [one.number for one in tuned.front],
        "found": {"trial": tuned.found.number, "changes": _changes(order, tuned.found)},
        "winner": {
            "trial": tuned.winner.number,
            "is_default": tuned.winner.number == 0,
            "file": WINNER_FILE,
            "parameters": tuned.winner.parameters,
        },
        "unseen": [
            {"objective": one.objective, "change": one.change, "low": one.low, "high": one.high}
            for one in tuned.effects
        ],
        "importances": dict(zip(order.wish.objectives, tuned.importances, strict=True)),
        "scenes": [{"trace": scene.trace.name, "seed": scene.seed} for scene in tuned.seen],
        "unseen_scenes": [{"trace": scene.trace.name, "seed": scene.seed} for scene in tuned.unseen],
        "warm_up_s": tuned.warm_up_ns / 1e9,
    }


def _shown_effect(order: TuneOrder, tuned: Tuned) -> Effect:
    """Return the effect that the verdict names: what is preferred, or what improves most surely."""
    if order.wish.prefer == KNEE:
        return min(tuned.effects, key=lambda one: one.high)
    return tuned.effects[order.wish.objectives.index(order.wish.prefer)]


def _percent(share: float) -> str:
    return f"{100 * share:+.3g}"


def _changes(order: TuneOrder, trial: Trial) -> dict[str, float]:
    return {name: math.expm1(value) for name, value in zip(order.wish.objectives, trial.values, strict=True)}


def _trials(order: TuneOrder, tuned: Tuned) -> pa.Table:
    """One row a trial."""
    on_front = {one.number for one in tuned.front}
    rows = tuned.trials
    columns: dict[str, Any] = {
        "trial": pa.array([one.number for one in rows], pa.int32()),
        "state": ["pruned" if one.pruned else "complete" for one in rows],
        "scenes": pa.array([len(one.found) for one in rows], pa.int32()),
        "on_front": [one.number in on_front for one in rows],
    }
    for parameter in order.parameters:
        columns[parameter.name] = pa.array([one.parameters[parameter.name] for one in rows], pa.float64())
    for place, name in enumerate(order.wish.objectives):
        # Over the scenes that it was lived in, which are not all for a pruned one.
        columns[f"change.{name}"] = pa.array([math.expm1(one.values[place]) for one in rows], pa.float64())
    return pa.table(columns)


def _replays(tuned: Tuned) -> pa.Table:
    """One row a replay of the search."""
    rows = [(one, place, found) for one in tuned.trials for place, found in enumerate(one.found)]
    columns: dict[str, Any] = {
        "trial": pa.array([one.number for one, _, _ in rows], pa.int32()),
        "trace": [tuned.seen[place].trace.name for _, place, _ in rows],
        "seed": pa.array([tuned.seen[place].seed for _, place, _ in rows], pa.int64()),
    }
    for name in rows[0][2]:
        columns[name] = pa.array([found[name] for _, _, found in rows], pa.float64())
    return pa.table(columns)


def _parameters(order: TuneOrder, tuned: Tuned) -> pa.Table:
    """One row a parameter: range, default, winner, importances."""
    usual = defaults(order.parameters)
    columns: dict[str, Any] = {
        "parameter": [one.name for one in order.parameters],
        "low": [one.low for one in order.parameters],
        "high": [one.high for one in order.parameters],
        "log": [one.log for one in order.parameters],
        "default": [usual[one.name] for one in order.parameters],
        "found": [tuned.found.parameters[one.name] for one in order.parameters],
        "winner": [tuned.winner.parameters[one.name] for one in order.parameters],
    }
    for name, shares in zip(order.wish.objectives, tuned.importances, strict=True):
        columns[f"importance.{name}"] = [shares[one.name] for one in order.parameters]
    return pa.table(columns)


def _unseen(tuned: Tuned) -> pa.Table:
    """One row a measure and unseen scene: the default's value and that of what was found; empty without a rival."""
    rows = [
        (scene, name, default[name], ours[name])
        for scene, (default, ours) in zip(tuned.unseen, tuned.score, strict=bool(tuned.score))
        for name in default
    ]
    return pa.table(
        {
            "trace": pa.array([scene.trace.name for scene, _, _, _ in rows], pa.string()),
            "seed": pa.array([scene.seed for scene, _, _, _ in rows], pa.int64()),
            "measure": pa.array([name for _, name, _, _ in rows], pa.string()),
            "default": pa.array([default for _, _, default, _ in rows], pa.float64()),
            "found": pa.array([ours for _, _, _, ours in rows], pa.float64()),
        }
    )


def _winner_file(tuned: Tuned, verdict: Verdict, provenance: dict[str, Any]) -> bytes:
    comments = (
        f"Written by {provenance.get('command', 'exchange-router tune')}",
        verdict.text.en + ".",
        "These are the defaults." if tuned.winner.number == 0 else f"This is trial {tuned.winner.number}.",
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / WINNER_FILE
        write_setting(path, tuned.winner.setting, comments)
        return path.read_bytes()
