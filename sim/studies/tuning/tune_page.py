"""The page of `tune`: its blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.report.blocks import (
    Axis,
    BarsBlock,
    Block,
    Column,
    FactsBlock,
    Form,
    Interval,
    IntervalsBlock,
    ScatterBlock,
    ScatterGroup,
    SeriesBlock,
    SeriesLine,
    TableBlock,
    TextBlock,
    Words,
)
from sim.studies.measures import measure
from sim.studies.tuning.domination import front
from sim.studies.tuning.parameters import defaults
from sim.studies.tuning.search import Trial
from sim.studies.tuning.tune import Tuned, TuneOrder
from sim.studies.tuning.winner import KNEE


def blocks_of(order: TuneOrder, tuned: Tuned) -> list[Block]:
    """Return what is to be seen, in order."""
    names = order.wish.objectives
    first = 0 if order.wish.prefer == KNEE else names.index(order.wish.prefer)
    blocks: list[Block] = []
    if tuned.effects:
        blocks.append(_intervals(tuned))
    # What no setting changes, such as deadlines that none misses, makes no picture.
    moved = np.ptp(np.array([one.values for one in tuned.trials if not one.pruned]), axis=0) > 0.0
    blocks += [_scatter(order, tuned, place, first) for place in np.flatnonzero(moved).tolist() if place != first]
    blocks.append(_progress(order, tuned, first))
    if any(tuned.importances[first].values()):
        blocks.append(_bars(order, tuned, first))
    blocks += [_parameter_table(order, tuned), _front_table(order, tuned)]
    if tuned.score:
        blocks.append(_unseen_table(order, tuned))
    blocks += [_facts(order, tuned), _how()]
    return blocks


def _intervals(tuned: Tuned) -> IntervalsBlock:
    rows = []
    for one in tuned.effects:
        # Sums of logarithms and back may differ in the last digit.
        low, high = min(one.low, one.change), max(one.high, one.change)
        tone = "better" if high < 0.0 else "worse" if low > 0.0 else "open"
        rows.append(
            Interval.model_validate(
                {"label": measure(one.objective).title, "value": one.change, "low": low, "high": high, "tone": tone}
            )
        )
    title = Words(
        f"Trial {tuned.found.number} against the defaults on unseen traces",
        f"第 {tuned.found.number} 次试验与默认值在未见轨迹上的对比",
    )
    note = Words(
        f"{len(tuned.unseen)} scenes that the search has not seen, the same for both; 95 % intervals of paired "
        "changes.",
        f"搜索未使用过的 {len(tuned.unseen)} 个场景，双方相同；配对变化的 95 % 区间。",
    )
    return IntervalsBlock(title=title, note=note, rows=rows)


def _axis(name: str) -> Axis:
    title = measure(name).title
    return Axis(title=Words(f"{title.en}, change", f"{title.zh}变化"), form=Form.CHANGE)


def _scatter(order: TuneOrder, tuned: Tuned, x: int, y: int) -> ScatterBlock:
    """Trials by two objectives; the line is the front of these two alone."""
    names = order.wish.objectives
    complete = [one for one in tuned.trials if not one.pruned]
    values = np.array([[one.values[x], one.values[y]] for one in complete])
    line = [one for one, stays in zip(complete, front(values), strict=True) if stays]
    line.sort(key=lambda one: (one.values[x], one.values[y]))
    on_front = {one.number for one in tuned.front}

    def group(en: str, zh: str, look: str, trials: Sequence[Trial]) -> ScatterGroup:
        points = [(math.expm1(one.values[x]), math.expm1(one.values[y])) for one in trials]
        named = [str(one.number) for one in trials]
        return ScatterGroup.model_validate({"label": Words(en, zh), "look": look, "points": points, "names": named})

    title_x, title_y = measure(names[x]).title, measure(names[y]).title
    return ScatterBlock(
        title=Words(f"Trials: {title_y.en} against {title_x.en}", f"试验：{title_y.zh}与{title_x.zh}"),
        note=Words(
            "Changes against the defaults on the same scenes, half mean and half worst; less is better on both axes.",
            "与默认值在相同场景上的变化，均值与最差值各半；两轴均以小为优。",
        ),
        x=_axis(names[x]),
        y=_axis(names[y]),
        groups=[
            group("behind others", "被支配", "faint", [one for one in complete if one.number not in on_front]),
            group("on the front of all objectives", "全部目标的前沿", "plain", tuned.front),
            group("front of these two", "这两个目标的前沿", "front", line),
            group("defaults", "默认值", "chosen", [tuned.trials[0]]),
            group("found", "所选", "chosen", [tuned.found]),
        ],
    )


def _progress(order: TuneOrder, tuned: Tuned, place: int) -> SeriesBlock:
    """How the search came along: the best that was allowed so far."""
    best = 0.0
    lowest: list[int | float | None] = []
    others = np.arange(len(order.wish.objectives)) != place
    for one in tuned.trials:
        if not one.pruned and (one.values <= order.wish.limits)[others].all():
            best = min(best, float(one.values[place]))
        lowest.append(math.expm1(best))
    title = measure(order.wish.objectives[place]).title
    return SeriesBlock(
        title=Words(f"Best {title.en} so far, within what is allowed", f"迄今最优的{title.zh}（允许范围内）"),
        x=Axis(title=Words("trial", "试验"), form=Form.COUNT),
        y=_axis(order.wish.objectives[place]),
        at=[float(one.number) for one in tuned.trials],
        lines=[SeriesLine(label=Words("best so far", "迄今最优"), y=lowest)],
    )


def _bars(order: TuneOrder, tuned: Tuned, place: int) -> BarsBlock:
    title = measure(order.wish.objectives[place]).title
    ranked = sorted(tuned.importances[place].items(), key=lambda item: (-item[1], item[0]))
    return BarsBlock(
        title=Words(f"What matters to {title.en}", f"对{title.zh}的影响"),
        note=Words(
            "Share of the variance over trials (functional ANOVA); no direction, and no cause.",
            "试验间方差的占比（函数型方差分析）；不表示方向与因果。",
        ),
        form=Form.SHARE,
        rows=[(Words(name, name), share, None) for name, share in ranked],
    )


def _parameter_table(order: TuneOrder, tuned: Tuned) -> TableBlock:
    usual = defaults(order.parameters)
    columns = [
        Column(title=Words("Parameter", "参数")),
        Column(title=Words("From", "下限"), form=Form.NUMBER),
        Column(title=Words("To", "上限"), form=Form.NUMBER),
        Column(title=Words("Default", "默认值"), form=Form.NUMBER),
        Column(title=Words("Found", "所选"), form=Form.NUMBER),
        Column(title=Words("Winner", "优胜值"), form=Form.NUMBER),
    ]
    return TableBlock(
        title=Words("Parameters", "参数"),
        columns=columns,
        rows=[
            [name, one.low, one.high, usual[name], tuned.found.parameters[name], tuned.winner.parameters[name]]
            for name, one in ((one.name, one) for one in order.parameters)
        ],
    )


def _front_table(order: TuneOrder, tuned: Tuned) -> TableBlock:
    names = order.wish.objectives
    columns = [Column(title=Words("Trial", "试验"), form=Form.COUNT)]
    columns += [Column(title=measure(name).title, form=Form.CHANGE) for name in names]
    columns += [Column(title=Words(one.name, one.name), form=Form.NUMBER) for one in order.parameters]
    return TableBlock(
        title=Words("The front: no trial is better in all", "前沿：没有全面更优的试验"),
        note=Words("Changes against the defaults, then the parameters.", "相对默认值的变化及参数。"),
        columns=columns,
        rows=[
            [
                one.number,
                *(math.expm1(value) for value in one.values),
                *(one.parameters[parameter.name] for parameter in order.parameters),
            ]
            for one in tuned.front
        ],
    )


def _unseen_table(order: TuneOrder, tuned: Tuned) -> TableBlock:
    columns = [Column(title=Words("Seed", "种子"), form=Form.COUNT), Column(title=Words("Trace", "轨迹"))]
    for name in order.wish.objectives:
        title, form = measure(name).title, measure(name).form
        columns.append(Column(title=Words(f"{title.en}, default", f"{title.zh}，默认"), form=form))
        columns.append(Column(title=Words("found", "所选"), form=form))
    rows: list[list[Any]] = []
    for scene, (default, ours) in zip(tuned.unseen, tuned.score, strict=True):
        row: list[Any] = [scene.seed, scene.trace.name]
        for name in order.wish.objectives:
            row += [_cell(default[name], measure(name).form), _cell(ours[name], measure(name).form)]
        rows.append(row)
    return TableBlock(title=Words("Unseen scenes", "未见场景"), columns=columns, rows=rows)


def _cell(value: float | None, form: Form) -> int | float | None:
    return int(value) if value is not None and form in (Form.COUNT, Form.NS) else value


def _facts(order: TuneOrder, tuned: Tuned) -> FactsBlock:
    pruned = sum(one.pruned for one in tuned.trials)
    lived = sum(len(one.found) for one in tuned.trials)
    rows: list[tuple[Words, str | Words]] = [
        (Words("Brain", "策略"), order.brain.name),
        (Words("Trials", "试验"), Words(f"{order.trials}, {pruned} of them pruned", f"{order.trials}，剪枝 {pruned}")),
        (Words("Replays of the search", "搜索回放数"), str(lived)),
        (Words("Seeds of the search", "搜索种子"), ", ".join(str(scene.seed) for scene in tuned.seen)),
        (Words("Seeds set aside", "留出种子"), ", ".join(str(scene.seed) for scene in tuned.unseen)),
        (Words("Preferred", "首选目标"), order.wish.prefer),
        (Words("Warm-up", "预热"), f"{tuned.warm_up_ns / 1e9:g} s"),
    ]
    for name, share in zip(order.wish.objectives, order.wish.allowance, strict=True):
        title = measure(name).title
        rows.append((Words(f"May grow: {title.en}", f"允许增加：{title.zh}"), f"{100 * share:g} %"))
    return FactsBlock(title=Words("Settings", "设置"), rows=rows)


def _how() -> TextBlock:
    return TextBlock(
        title=Words("How it was found", "方法"),
        text=Words(
            "Each trial is replayed in the same scenes (a trace and a seed), and judged by its changes against the "
            "defaults there: half their mean and half the worst. A trial that some other beats clearly on each scene "
            "so far is not replayed on further ones. The best of many trials looks better than it is; so what was "
            "found is scored once more on traces set aside, and only that score decides.",
            "每次试验在相同场景（轨迹与种子）中回放，以相对默认值的变化评判：均值与最差值各半。若在已回放的每个场景上明显劣于"
            "另一试验，则不再继续。多次试验中的最优者往往显得偏好，因此最终只以留出轨迹上的成绩定论。",
        ),
    )
