"""A replay's summary on the terminal."""

from __future__ import annotations

from rich.table import Table

from exchange_router import console
from router_core.units import HOUR_NS, SECOND_NS
from sim.decision_texts import KIND_WORDS
from sim.results import BrainMetrics, DecisionCounts


def replay_tables(metrics: dict[str, BrainMetrics]) -> list[Table]:
    """Return the tables of flows, of what befell chunks, and of completion times, one block a brain."""
    text = console.text
    times = console.table(
        text("Completion times", "完成时间"),
        text("brain / mode or class", "策略 / 模式或优先级"),
        text("delivered", "已送达"),
        "p50",
        "p95",
        "p99",
        "p99.9",
        text("deadlines missed", "超期"),
    )
    flows = console.table(
        text("Exchanges", "交换"),
        text("brain", "策略"),
        text("submitted", "提交"),
        text("delivered", "送达"),
        text("in flight", "在途"),
        text("refused", "拒绝"),
        text("bytes delivered", "送达字节"),
        text("busiest station", "最忙站点"),
        text("in its busiest hour", "最忙小时利用率"),
    )
    way = console.table(
        text("On the way", "途中"),
        text("brain", "策略"),
        text("chunks tried again", "分片重试"),
        text("failed", "失败"),
        text("spilled", "溢写"),
        text("held back, at most", "暂缓发出（最多）"),
    )
    for name, one in metrics.items():
        classes = {text(f"class {level}", f"优先级 {level}"): part for level, part in one.completion.by_class.items()}
        parts = {text("all", "全部"): one.completion.all, **one.completion.by_mode, **classes}
        for mode, part in parts.items():
            if not part.count:
                continue
            quantiles = (part.p50_ns, part.p95_ns, part.p99_ns, part.p999_ns)
            missed = f"{part.deadline_missed / part.deadline_total:.2%}" if part.deadline_total else "-"
            times.add_row(f"{name} / {mode}", f"{part.count:,}", *map(console.duration, quantiles), missed)
        chunks = one.chunks
        way.add_row(name, *(f"{n:,}" for n in (chunks.retries, chunks.failed, chunks.spilled, chunks.held_peak)))
        busiest = one.stations[0] if one.stations else None
        flows.add_row(
            name,
            *(f"{getattr(one.counts, key):,}" for key in ("submitted", "delivered", "in_flight", "refused")),
            console.size(one.bytes.delivered),
            busiest.name if busiest else "-",
            f"{busiest.busy_hour_utilisation:.1%}" if busiest else "-",
        )
    steered = [one for one in metrics.values() if one.withheld or one.pools]
    decided = {one.brain: one.decisions for one in metrics.values() if one.decisions}
    return [
        flows,
        way,
        *([_prepared(steered)] if steered else []),
        *([_decided(decided)] if decided else []),
        times,
    ]


def _decided(decisions: dict[str, DecisionCounts]) -> Table:
    """How often brains decided what, and how soon they noticed surges; one column a brain."""
    text = console.text
    shown = console.table(text("Decisions", "决策"), text("what", "决策"), *decisions)
    for kind, words in KIND_WORDS.items():
        counts = [one.by_kind.get(kind, 0) for one in decisions.values()]
        if any(counts):
            shown.add_row(text(*words), *(f"{count:,}" for count in counts))
    noticed = [one.surge_noticed_s for one in decisions.values()]
    if any(one is not None for one in noticed):
        times = [console.duration(None if one is None else one * SECOND_NS) for one in noticed]
        shown.add_row(text("surges noticed after, median", "发现浪涌用时（中位数）"), *times)
    return shown


def _prepared(metrics: list[BrainMetrics]) -> Table:
    """What brains held back and lent."""
    text = console.text
    shown = console.table(
        text("Held back and lent", "延后与借用"),
        text("brain", "策略"),
        text("held back", "延后发出"),
        text("bytes", "字节"),
        text("mean hold", "平均延后"),
        text("longest", "最长"),
        text("servers, at most", "服务器（最多）"),
        text("server hours", "服务器小时"),
    )
    for one in metrics:
        held = one.withheld
        shown.add_row(
            one.brain,
            f"{held.exchanges:,}" if held else "-",
            console.size(held.bytes) if held else "-",
            console.duration(held.mean_ns if held else None),
            console.duration(held.max_ns if held else None),
            f"{sum(pool.peak for pool in one.pools):,}",
            f"{sum(pool.server_ns for pool in one.pools) / HOUR_NS:,.1f}",
        )
    return shown
