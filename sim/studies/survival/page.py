"""The study's page: the weakest points on the map, what every failure cost, and how it was counted."""

from __future__ import annotations

from typing import Final

from router_core.units import MINUTE_NS
from sim.report.blocks import (
    Axis,
    BarsBlock,
    Block,
    FactsBlock,
    Form,
    Number,
    SeriesBlock,
    SeriesLine,
    TextBlock,
    Words,
)
from sim.studies.survival.elements import KINDS
from sim.studies.survival.page_map import AT_SITES, map_block
from sim.studies.survival.page_tables import (
    baselines_table,
    cut_table,
    kinds_table,
    pair_blocks,
    ranked_table,
)
from sim.studies.survival.survive import Suffered, Survived
from sim.studies.survival.words import duration, hurt_share, kind_of, percent

BARS: Final = 20


def blocks_of(survived: Survived) -> list[Block]:
    """Return the page's blocks."""
    blocks: list[Block] = []
    if any(one.kind in (*AT_SITES, "line") for one in survived.elements):
        blocks.append(map_block(survived))
    blocks += [_bars(survived), ranked_table(survived), kinds_table(survived), _until_normal(survived)]
    cutting = [one for one in survived.ranked if one.mean("cut_pairs") > 0]
    if cutting:
        blocks.append(cut_table(survived, cutting))
    if survived.paired:
        blocks += pair_blocks(survived)
    return [*blocks, baselines_table(survived), _facts(survived), _text(survived)]


def _bars(survived: Survived) -> BarsBlock:
    return BarsBlock(
        title=Words("What the worst failures make late, and which deadlines they miss", "最严重故障造成的推迟与超期"),
        note=Words("Shares of exchanges; lost ones are late.", "占交换次数的比例；丢失计为推迟。"),
        form=Form.SHARE,
        names=(Words("late", "推迟"), Words("deadline missed", "超期")),
        rows=[
            (_named(one), hurt_share(one), one.mean("missed") / max(one.mean("exchanges"), 1.0))
            for one in survived.ranked[:BARS]
        ],
    )


def _named(one: Suffered) -> Words:
    kind, name = kind_of(one), one.failure.name
    return Words(f"{name} ({kind.en})", f"{name}（{kind.zh}）")


def _until_normal(survived: Survived) -> SeriesBlock:
    """For each minute after the return, which share of failures is over by then."""
    span = survived.spec.span
    minutes: list[Number] = list(range(span.tail_ns // MINUTE_NS + 1))
    lines = []
    for kind, title in KINDS.items():
        harms = [harm for one in survived.singles if one.failure.elements[0].kind == kind for harm in one.harms]
        if harms:
            over = [sum(one.normal and one.after_return_s <= 60 * at for one in harms) / len(harms) for at in minutes]
            lines.append(SeriesLine(label=title, y=[round(share, 6) for share in over]))
    return SeriesBlock(
        title=Words("How long until normal", "多久恢复正常"),
        note=Words(
            "Share of failures that are over so many minutes after the return.",
            "恢复若干分钟后已完全正常的故障比例。",
        ),
        x=Axis(title=Words("minutes after the return", "恢复后分钟数")),
        y=Axis(title=Words("share of failures", "故障比例"), form=Form.SHARE),
        at=minutes,
        lines=lines,
    )


def _facts(survived: Survived) -> FactsBlock:
    spec = survived.spec
    span, bounds = spec.span, spec.bounds
    return FactsBlock(
        title=Words("What was asked", "设定"),
        rows=[
            (Words("brain", "策略"), spec.brain.name),
            (Words("kinds", "类型"), ", ".join(spec.kinds)),
            (Words("single failures", "单点故障"), f"{len(survived.singles):,}"),
            (Words("pairs", "双重故障"), f"{len(survived.paired):,} / {survived.pairs.population:,}"),
            (Words("begin at", "故障时刻"), ", ".join(survived.hours)),
            (Words("lived before", "故障前"), duration(span.lead_ns / 1e9)),
            (Words("lasts", "故障持续"), duration(span.lasts_ns / 1e9)),
            (Words("lived after the return", "恢复后"), duration(span.tail_ns / 1e9)),
            (Words("late by more than", "推迟阈值"), duration(bounds.late_by_ns / 1e9)),
            (Words("band of normal", "正常范围"), percent(bounds.band)),
            (Words("changes", "场景变化"), ", ".join(spec.changes) or "-"),
            (Words("seeds", "种子"), ", ".join(map(str, spec.seeds))),
        ],
    )


def _text(survived: Survived) -> TextBlock:
    spec = survived.spec
    bound, band = duration(spec.bounds.late_by_ns / 1e9), percent(spec.bounds.band)
    return TextBlock(
        title=Words("How it was counted", "如何计数"),
        text=Words(
            "Every run has the same exchanges, other users and noise as the one without the failure, so each exchange "
            "is held against itself. Counted are those under way when the failure begins and all submitted later. "
            f"Late: delivered later by more than {bound}. Sooner is counted the same way: where ways change, some gain "
            "what others lose, and as many sooner as late is a mere shuffle. Lost: given up, refused, or not delivered "
            "at the end of the run, a day later at most. Served elsewhere: visits at stations beyond those they had, "
            "as a share of all, while it lasts; retries too. Normal again: from then on, in any five minutes, no more "
            f"than {band} are late or lost beyond those sooner, and the backlog is within 5 % (or ten exchanges). "
            "Cut off: no way in the network is left, not even one that the brain leaves unused.",
            "每次回放的交换、其他用户与噪声都与无故障时相同，因此逐笔对比。计入故障开始时在途及之后提交的交换。"
            f"推迟：送达晚于无故障时超过 {bound}；提前同法计数，两者相当只是次序变化。"
            "丢失：放弃、被拒或运行结束（至多一天后）仍未送达。"
            "改道：故障期间各站点多于平时的服务次数占比，含重试。恢复正常：此后任意五分钟内推迟或丢失（减去提前）不超过"
            f" {band}，且积压在 5 %（或十笔）以内。隔断：网络中已无任何通路，包括策略未使用的。",
        ),
    )
