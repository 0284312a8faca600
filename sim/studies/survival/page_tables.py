"""The study's tables: every failure by rank, kinds, who is cut off, pairs, baselines."""

from __future__ import annotations

from math import isnan
from typing import Final

import numpy as np

from sim.report.blocks import Block, Cell, Column, Form, Interval, IntervalsBlock, TableBlock, Words
from sim.studies.survival.elements import KINDS
from sim.studies.survival.survive import Suffered, Survived, ranked
from sim.studies.survival.words import Share, beyond, kind_of, pair_shares

ROWS: Final = 1_000
_COLUMNS: Final = [
    Column(title=Words("failure", "故障")),
    Column(title=Words("kind", "类型")),
    Column(title=Words("lost", "丢失"), form=Form.NUMBER),
    Column(title=Words("late", "推迟"), form=Form.NUMBER),
    Column(title=Words("late, share", "推迟比例"), form=Form.SHARE),
    Column(title=Words("sooner", "提前"), form=Form.NUMBER),
    Column(title=Words("deadlines missed", "超期"), form=Form.NUMBER),
    Column(title=Words("retried", "重试"), form=Form.NUMBER),
    Column(title=Words("services elsewhere, of those before", "改道服务与原服务之比"), form=Form.NUMBER),
    Column(title=Words("p99", "p99"), form=Form.NS),
    Column(title=Words("p99 of queries", "查询 p99"), form=Form.NS),
    Column(title=Words("normal after return", "恢复后至正常"), form=Form.NS),
    Column(title=Words("pairs cut off", "隔断对数"), form=Form.NUMBER),
    Column(title=Words("normal seen", "已见正常")),
]


def _row(one: Suffered) -> list[Cell]:
    after_s = max(harm.after_return_s for harm in one.harms)
    seen = Words("yes", "是") if one.always_normal else Words("no: at least", "否，至少")
    return [
        one.failure.name,
        kind_of(one),
        one.mean("lost"),
        one.mean("late"),
        one.late_share,
        one.mean("sooner"),
        one.mean("missed"),
        one.mean("retried"),
        one.mean("elsewhere"),
        _known(one.mean("p99_ns")),
        _known(one.mean("p99_query_ns")),
        after_s * 1e9,
        one.mean("cut_pairs"),
        seen,
    ]


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def ranked_table(survived: Survived) -> TableBlock:
    """Single failures by rank."""
    alone = survived.ranked
    return TableBlock(
        title=Words("Single failures, the worst first", "单点故障，由重到轻"),
        note=_first(len(alone)),
        columns=_COLUMNS,
        rows=[_row(one) for one in alone[:ROWS]],
    )


def _first(count: int) -> Words:
    if count <= ROWS:
        return Words("Means over hours and seeds; times: the longest.", "各时段与种子的均值；时间取最长。")
    return Words(
        f"The first {ROWS} of {count:,}; all are in ranking.parquet. Means over hours and seeds; times: the longest.",
        f"前 {ROWS} 项，共 {count:,} 项，全部见 ranking.parquet。各时段与种子的均值；时间取最长。",
    )


def kinds_table(survived: Survived) -> TableBlock:
    """What the failures of each kind do."""
    rows: list[list[Cell]] = []
    for kind, title in KINDS.items():
        of_kind = ranked(tuple(one for one in survived.singles if one.failure.elements[0].kind == kind))
        if of_kind:
            late = [one.late_share for one in of_kind]
            rows.append(
                [
                    title,
                    len(of_kind),
                    sum(one.mean("lost") > 0 for one in of_kind),
                    sum(one.mean("cut_pairs") > 0 for one in of_kind),
                    sum(not one.always_normal for one in of_kind),
                    float(np.median(late)),
                    max(late),
                    of_kind[0].failure.name,
                ]
            )
    return TableBlock(
        title=Words("By kind", "按类型"),
        columns=[
            Column(title=Words("kind", "类型")),
            Column(title=Words("failures", "故障数"), form=Form.COUNT),
            Column(title=Words("lose some", "丢失交换"), form=Form.COUNT),
            Column(title=Words("cut somebody off", "造成隔断"), form=Form.COUNT),
            Column(title=Words("not normal at the end", "窗口末仍未正常"), form=Form.COUNT),
            Column(title=Words("late, median", "推迟比例中位数"), form=Form.SHARE),
            Column(title=Words("late, most", "推迟比例最大"), form=Form.SHARE),
            Column(title=Words("the worst", "最严重")),
        ],
        rows=rows,
    )


def cut_table(survived: Survived, cutting: list[Suffered]) -> TableBlock:
    """Failures that leave pairs of endpoints without any way."""
    most = sorted(cutting, key=lambda one: (-one.mean("cut_exchanges"), one.failure.members))
    return TableBlock(
        title=Words("Who is cut off, whatever a brain does", "物理隔断：任何策略都无能为力"),
        note=Words(
            f"{len(cutting)} of {len(survived.singles)} failures leave pairs that exchange something without any way. "
            "The rest of what is late could have gone another way.",
            f"{len(survived.singles)} 种故障中有 {len(cutting)} 种使正在交换的两端无路可走；其余推迟本可绕行。",
        ),
        columns=[
            Column(title=Words("failure", "故障")),
            Column(title=Words("kind", "类型")),
            Column(title=Words("pairs", "隔断对数"), form=Form.NUMBER),
            Column(title=Words("their exchanges", "涉及交换"), form=Form.NUMBER),
            Column(title=Words("of these late or lost", "其中推迟或丢失"), form=Form.NUMBER),
            Column(title=Words("others late or lost", "其他推迟或丢失"), form=Form.NUMBER),
        ],
        rows=[
            [
                one.failure.name,
                kind_of(one),
                one.mean("cut_pairs"),
                one.mean("cut_exchanges"),
                one.mean("cut_hurt"),
                one.mean("late") + one.mean("lost") - one.mean("cut_hurt"),
            ]
            for one in most[:ROWS]
        ],
    )


def pair_blocks(survived: Survived) -> list[Block]:
    """What pairs of failures do."""
    shares = pair_shares(survived)
    assert shares is not None, "there are pairs"
    pairs = survived.pairs

    def row(label: Words, share: Share) -> Interval:
        return Interval(label=label, value=share.value, low=share.low, high=share.high)

    how = (
        Words(f"All {pairs.population:,} pairs.", f"全部 {pairs.population:,} 种。")
        if pairs.whole
        else Words(
            f"{len(survived.paired):,} pairs drawn of {pairs.population:,}, each with equal chance; intervals of 95 % "
            "(Clopper and Pearson).",
            f"从 {pairs.population:,} 种中等概率抽取 {len(survived.paired):,} 种；95 % 置信区间。",
        )
    )
    worst = sorted(survived.paired, key=lambda one: (-beyond(survived, one, "lost"), -beyond(survived, one, "late")))
    return [
        IntervalsBlock(
            title=Words("Two failures at once", "双重故障"),
            note=how,
            form=Form.SHARE,
            rows=[
                row(Words("lose some", "丢失交换"), shares.losing),
                row(Words("cut off whom neither does alone", "造成新的隔断"), shares.cutting),
                row(Words("make more late than both alone", "推迟多于两者之和"), shares.compounding),
            ],
        ),
        TableBlock(
            title=Words("Pairs, the worst first", "双重故障，由重到轻"),
            note=_first(len(survived.paired)),
            columns=_COLUMNS,
            rows=[_row(one) for one in ranked(survived.paired)[:ROWS]],
        ),
        TableBlock(
            title=Words("What two do that neither does alone", "双重故障超出两者之和的部分"),
            columns=[
                Column(title=Words("failures", "故障")),
                Column(title=Words("kinds", "类型")),
                Column(title=Words("lost beyond both", "超出的丢失"), form=Form.NUMBER),
                Column(title=Words("late beyond both", "超出的推迟"), form=Form.NUMBER),
                Column(title=Words("pairs cut off beyond both", "超出的隔断"), form=Form.NUMBER),
            ],
            rows=[
                [
                    one.failure.name,
                    kind_of(one),
                    *(beyond(survived, one, name) for name in ("lost", "late", "cut_pairs")),
                ]
                for one in worst[:ROWS]
            ],
        ),
    ]


def baselines_table(survived: Survived) -> TableBlock:
    """The runs that failures are held against."""
    rows: list[list[Cell]] = []
    for moment, base in zip(survived.moments, survived.baselines, strict=True):
        p99_s = base["p99_s"]
        rows.append(
            [
                moment.at,
                moment.case.seed,
                base["exchanges"],
                base["refused"],
                base["undelivered"],
                base["missed"],
                None if p99_s is None else p99_s * 1e9,
            ]
        )
    return TableBlock(
        title=Words("The same hours without a failure", "无故障的同一时段"),
        columns=[
            Column(title=Words("from", "起始"), form=Form.DATE),
            Column(title=Words("seed", "种子"), form=Form.COUNT),
            Column(title=Words("exchanges", "交换"), form=Form.COUNT),
            Column(title=Words("refused", "被拒绝"), form=Form.COUNT),
            Column(title=Words("undelivered", "未送达"), form=Form.COUNT),
            Column(title=Words("deadlines missed", "超期"), form=Form.COUNT),
            Column(title=Words("p99", "p99"), form=Form.NS),
        ],
        rows=rows,
    )
