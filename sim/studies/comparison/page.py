"""The page of `compare`: its blocks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sim.report.blocks import (
    Axis,
    Block,
    Cell,
    Column,
    FactsBlock,
    Form,
    Interval,
    IntervalsBlock,
    Number,
    SeriesBlock,
    SeriesLine,
    TableBlock,
    TextBlock,
    Words,
)
from sim.studies.comparison.arms import Arm
from sim.studies.comparison.compare import Compared
from sim.studies.comparison.tails import EDGES_NS
from sim.studies.measures import MEASURES, MODES, SHOWN, measure
from sim.studies.paired import Effect, interval


def blocks_of(compared: Compared) -> list[Block]:
    """Return what is to be seen, in order."""
    rest = [name for name in SHOWN if name not in compared.measures]
    blocks: list[Block] = []
    asked = _intervals(
        compared,
        compared.measures,
        Words("What was asked for, against the base", "所问指标与基准的对比"),
        Words(
            "Relative changes, replication by replication; less is better. All these intervals hold together with "
            f"{100 * compared.order.confidence:g} %.",
            f"按重复配对的相对变化，以小为优；这些区间整体置信度为 {100 * compared.order.confidence:g} %。",
        ),
    )
    others = _intervals(
        compared,
        rest,
        Words("Other measures, against the base", "其他指标与基准的对比"),
        Words(
            f"Each interval by itself has {100 * compared.order.confidence:g} %: of many, some miss by chance.",
            f"每个区间单独的置信度为 {100 * compared.order.confidence:g} %；区间较多时会有偶然的偏差。",
        ),
    )
    blocks += [one for one in (asked, others) if one.rows]
    blocks += _tails(compared)
    blocks.append(_seeds_picture(compared))
    blocks.append(_seeds_table(compared))
    blocks += _tables(compared)
    blocks += [_arms_table(compared), _facts(compared), _how(compared)]
    return blocks


def _pairs(compared: Compared, name: str) -> Iterable[tuple[Arm, Effect | None]]:
    return zip(compared.order.arms[1:], compared.effects[name], strict=True)


def _intervals(compared: Compared, names: Iterable[str], title: Words, note: Words) -> IntervalsBlock:
    rows = []
    several = len(compared.order.arms) > 2
    for name in names:
        for arm, one in _pairs(compared, name):
            if one is None or one.change is None or one.change.low is None or one.change.high is None:
                continue
            what = measure(name).title
            rows.append(
                Interval(
                    label=Words(f"{what.en}: {arm.label}", f"{what.zh}：{arm.label}") if several else what,
                    value=one.change.value,
                    low=min(one.change.low, one.change.value),
                    high=max(one.change.high, one.change.value),
                    tone="better" if one.sign < 0 else "worse" if one.sign > 0 else "open",
                    note=Words(f"less in {one.lower} of {one.pairs} seeds", f"{one.pairs} 个种子中 {one.lower} 个更小"),
                )
            )
    return IntervalsBlock(title=title, note=note, rows=rows)


def _tails(compared: Compared) -> list[Block]:
    """Return curves of the share of exchanges that took longer, of all runs together."""
    modes = dict.fromkeys([*(name.partition(".")[2] for name in compared.measures), "all"])
    blocks: list[Block] = []
    for mode in modes:
        if mode not in MODES:
            continue
        counts = compared.tails[mode]
        total, above = counts[:, :1], counts[:, 1:]
        if not (total > 0).all():
            continue
        # From where the first takes longer than a step to where the last is through.
        some = (above < total).any(axis=0) & (above > 0).any(axis=0)
        shown = np.flatnonzero(some)
        if not len(shown):
            continue
        share = above[:, shown] / total
        title = MODES[mode]
        blocks.append(
            SeriesBlock(
                title=Words(f"Share that took longer: {title.en}", f"超过给定时间的比例：{title.zh}"),
                note=Words(
                    "Exchanges of all seeds together, without the warm-up; both scales are logarithmic.",
                    "所有种子的交换合并统计，不含预热；两轴均为对数。",
                ),
                x=Axis(title=Words("completion time", "完成时间"), form=Form.NS, log=True),
                y=Axis(title=Words("share that took longer", "更慢的比例"), form=Form.SHARE, log=True),
                at=list[Number](EDGES_NS[shown].tolist()),
                lines=[
                    SeriesLine(label=_name(arm), y=[value if value > 0 else None for value in row])
                    for arm, row in zip(compared.order.arms, share.tolist(), strict=True)
                ],
            )
        )
    return blocks


def _seeds_picture(compared: Compared) -> SeriesBlock:
    name = compared.measures[0]
    title, form = measure(name).title, measure(name).form
    return SeriesBlock(
        title=Words(f"Seed by seed: {title.en}", f"逐个种子：{title.zh}"),
        note=Words(
            "Where the curves rise and fall together, the day does it; what counts is the distance between them.",
            "曲线同升同降是由流量本身引起的；要看的是曲线之间的距离。",
        ),
        x=Axis(title=Words("replication", "重复"), form=Form.COUNT),
        y=Axis(title=title, form=form),
        at=list[Number](range(1, len(compared.replications) + 1)),
        lines=[
            SeriesLine(label=_name(arm), y=[_known(value) for value in row.tolist()])
            for arm, row in zip(compared.order.arms, compared.values[name], strict=True)
        ],
    )


def _seeds_table(compared: Compared) -> TableBlock:
    name = compared.measures[0]
    title, form = measure(name).title, measure(name).form
    columns = [
        Column(title=Words("replication", "重复"), form=Form.COUNT),
        Column(title=Words("seed", "种子")),
        Column(title=Words("trace", "轨迹")),
        *(Column(title=_name(arm), form=form) for arm in compared.order.arms),
    ]
    rows: list[list[Cell]] = [
        [
            place + 1,
            str(one.seed),
            one.digests[0][:12],
            *(_known(value) for value in compared.values[name][:, place].tolist()),
        ]
        for place, one in enumerate(compared.replications)
    ]
    return TableBlock(
        title=Words(f"Every seed: {title.en}", f"各种子：{title.zh}"),
        note=Words(
            "The seed is that of the world, and of the trace where it was drawn; the trace is named by its digest.",
            "种子用于仿真世界及所生成的轨迹；轨迹以其摘要标识。",
        ),
        columns=columns,
        rows=rows,
    )


def _tables(compared: Compared) -> list[Block]:
    groups = (
        (Words("All times", "全部时间指标"), Form.NS, (Form.NS,)),
        (Words("All counts", "全部计数指标"), Form.NUMBER, (Form.COUNT,)),
        (Words("Resources and change", "资源与变动"), Form.NUMBER, (Form.SHARE, Form.NUMBER, Form.HOURS)),
    )
    return [
        _table(compared, title, form, [name for name, one in MEASURES.items() if one.form in forms])
        for title, form, forms in groups
    ]


def _table(compared: Compared, title: Words, form: Form, names: list[str]) -> TableBlock:
    rows: list[list[Cell]] = []
    confidence = compared.order.confidence
    for name in names:
        for place, arm in enumerate(compared.order.arms):
            values = compared.values[name][place]
            if not np.isfinite(values).all():
                continue
            mean = interval(values, confidence)
            # No measure is below 0, though an interval of values far apart may be.
            low = None if mean.low is None else max(mean.low, 0.0)
            one = compared.effects[name][place - 1] if place else None
            change = None if one is None else one.change
            rows.append(
                [
                    MEASURES[name].title,
                    arm.label,
                    mean.value,
                    low,
                    mean.high,
                    *((None, None, None) if change is None else (change.value, change.low, change.high)),
                    None if one is None else one.difference.value,
                    None if one is None else one.lower,
                    None if one is None else one.sign_p,
                ]
            )
    level = f"{100 * confidence:g} %"
    columns = [
        Column(title=Words("measure", "指标")),
        Column(title=Words("arm", "方案")),
        Column(title=Words("mean over seeds", "各种子均值"), form=form),
        Column(title=Words(f"low, {level}", f"下限，{level}"), form=form),
        Column(title=Words(f"high, {level}", f"上限，{level}"), form=form),
        Column(title=Words("change", "变化"), form=Form.CHANGE),
        Column(title=Words("low", "下限"), form=Form.CHANGE),
        Column(title=Words("high", "上限"), form=Form.CHANGE),
        Column(title=Words("difference", "差值"), form=form),
        Column(title=Words("seeds with less", "更小的种子数"), form=Form.COUNT),
        Column(title=Words("sign test, p", "符号检验 p"), form=Form.NUMBER),
    ]
    note = Words(
        "Means and their intervals are of each arm alone and carry the spread of the days; changes are paired and do "
        "not. No change is given where a value is 0, nothing at all where nothing was delivered that a measure speaks "
        "of. Intervals of what was asked for hold together, the others each by itself.",
        "均值及其区间针对单个方案，含各日波动；变化按重复配对，不含该波动。数值为 0 时不给出相对变化，没有相应交换"
        "送达时不给出指标。所问指标的区间整体成立，其余各自成立。",
    )
    return TableBlock(title=title, note=note, columns=columns, rows=rows)


def _arms_table(compared: Compared) -> TableBlock:
    columns = [
        Column(title=Words("arm", "方案")),
        Column(title=Words("brain", "策略")),
        Column(title=Words("changes of the scenario", "场景变化")),
        Column(title=Words("faults", "故障")),
    ]
    rows: list[list[Cell]] = []
    for place, arm in enumerate(compared.order.arms):
        label: Cell = Words(f"{arm.label} (base)", f"{arm.label}（基准）") if place == 0 else arm.label
        rows.append([label, arm.brain.name, "; ".join(arm.changes), arm.faults.name if arm.faults else ""])
    return TableBlock(title=Words("Arms", "方案"), columns=columns, rows=rows)


def _facts(compared: Compared) -> FactsBlock:
    order, wanted = compared.order, compared.order.replications
    count = len(compared.replications)
    rows: list[tuple[Words, str | Words]] = [
        (Words("replications", "重复次数"), str(count)),
        (Words("first seed", "主种子"), str(order.seed)),
        (Words("confidence", "置信度"), f"{100 * order.confidence:g} %"),
        (
            Words("warm-up left out", "剔除的预热"),
            Words(
                f"{compared.warm_up_ns / 1e9:g} s, {'found by MSER-5' if compared.warm_up_found else 'as given'}",
                f"{compared.warm_up_ns / 1e9:g} 秒，{'由 MSER-5 得出' if compared.warm_up_found else '给定'}",
            ),
        ),
    ]
    if wanted.precision is not None:
        reached = Words("reached", "已达到") if compared.precise else Words("not reached", "未达到")
        rows.append((Words("wanted precision", "所需精度"), reached))
        rows.append((Words("pilot replications", "试运行次数"), str(compared.pilot)))
        rows.append((Words("replications at most", "重复次数上限"), str(wanted.most)))
    if order.traffic.draw is not None:
        draw = order.traffic.draw
        rows.append((Words("traces", "轨迹"), Words("drawn for each seed", "按种子生成")))
        rows.append((Words("begin, local time", "起始时间"), draw.start.isoformat()))
        rows.append((Words("hours", "小时数"), f"{draw.span.total_seconds() / 3600:g}"))
    else:
        digests = dict.fromkeys((one.traces[0].name, one.digests[0]) for one in compared.replications)
        rows += [(Words(f"trace {name}", f"轨迹 {name}"), digest) for name, digest in digests]
    return FactsBlock(title=Words("How it was made", "实验条件"), rows=rows)


def _how(compared: Compared) -> TextBlock:
    en = (
        "Under each seed every arm meets the same exchanges, the same other users of the lines and the same noise of "
        "telemetry, so a seed's values differ by the arm alone. A change is the mean over seeds of the logarithm of "
        "their ratio, with Student's interval, written as a share. "
    )
    zh = (
        "同一种子下，各方案面对相同的交换、相同的线路其他用户和相同的遥测噪声，因此数值之差只来自方案本身。"
        "变化为各种子比值对数的均值及其 t 区间，写作百分比。"
    )
    if compared.pilot is not None:
        en += "The number of seeds was chosen once, from the spread of the pilot (Stein's two stages). "
        zh += "种子数由试运行的离散程度一次性确定（Stein 两阶段法）。"
    if compared.order.traffic.draw is None:
        en += "Traces were given: the intervals speak of these traces in a world that varies, and not of other days. "
        zh += "轨迹为给定：区间只针对这些轨迹在变化的环境中的表现，不涉及其他日期。"
    en += "Percentiles speak of delivered exchanges; those refused or undelivered are counted by themselves."
    zh += "分位数只针对已送达的交换；被拒绝和未送达的单独计数。"
    return TextBlock(title=Words("How to read this", "如何解读"), text=Words(en, zh))


def _name(arm: Arm) -> Words:
    return Words(arm.label, arm.label)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
