"""An evaluation's summary on the terminal."""

from __future__ import annotations

from rich.table import Table

from exchange_router import console
from sim.evaluation.scores import ROUND_FIGURES, BrainScores, Evaluation

# More names than this are told in the JSON document alone.
NAMES_MAX = 5


def evaluate_tables(found: Evaluation, learned_from: int, dated: bool) -> list[Table]:
    """Return the table of brains, and the facts beside it that a reader must know."""
    text = console.text
    shown = console.table(
        text("Peak utilisation, in multiples of each matrix's optimum", "峰值利用率与各矩阵最优值之比"),
        text("brain", "策略"),
        text("mean", "均值"),
        "p95",
        text("max", "最大"),
        text("peak utilisation: mean", "峰值利用率：均值"),
        "p95",
        text("max", "最大"),
        text("churn: mean", "路径变动：均值"),
        text("max", "最大"),
        text("gap at most", "求解差距上限"),
    )
    for scores in found.brains:
        summary = scores.summary()
        ratio, mlu, churn, gap = (summary[name] for name in ("ratio", "mlu", "churn", "gap"))
        assert ratio is not None, "every matrix has a ratio"
        assert mlu is not None, "every matrix has a peak"
        shown.add_row(
            scores.brain,
            *(f"{ratio[key]:.4f}" for key in ("mean", "p95", "max")),
            *(f"{mlu[key]:.2%}" for key in ("mean", "p95", "max")),
            *("-" if churn is None else f"{churn[key]:.2%}" for key in ("mean", "max")),
            "-" if gap is None else f"{gap['max']:.3%}",
        )
    first, last = f"{found.t_utc[0]}Z", f"{found.t_utc[-1]}Z"
    facts = [
        (text("scored", "评分矩阵"), text(f"{len(found.t_utc):,} matrices", f"{len(found.t_utc):,} 个")),
        (text("from / to", "起止"), f"{first} / {last}"),
        (text("learned from", "学习矩阵"), text(f"{learned_from:,} matrices before", f"此前 {learned_from:,} 个")),
    ]
    if not dated:
        facts.append(
            (
                text("times", "时间"),
                text("the file states none: as --start and --step-s say", "文件未注明：按 --start 与 --step-s"),
            )
        )
    if found.without_demand:
        facts.append(
            (
                text("without demand", "无需求"),
                text(f"{found.without_demand:,} matrices, ratio 1", f"{found.without_demand:,} 个，比值记为 1"),
            )
        )
    if found.unconnected:
        names = list(found.unconnected)
        more = "" if len(names) <= NAMES_MAX else f" ... ({len(names):,})"
        demand = sum(found.unconnected.values())
        facts.append((text("not connected, not routed", "不连通、未路由"), ", ".join(names[:NAMES_MAX]) + more))
        facts.append((text("their mean demand", "其平均需求"), f"{demand:,.6g} Mbit/s"))
    tables = [shown, console.facts(text("Series", "序列"), facts)]
    probed = [scores for scores in found.brains if scores.rounds is not None]
    return [*tables, _rounds_table(probed)] if probed else tables


def _rounds_table(brains: list[BrainScores]) -> Table:
    """Return the table of brains that live through rounds."""
    text = console.text
    shown = console.table(
        text("Rounds of test particles", "测试粒子轮次"),
        text("brain", "策略"),
        text("standard deviation of the ratio over a matrix's rounds: mean", "矩阵内各轮比值的标准差：均值"),
        "p95",
        text("without the first round: mean", "不计首轮：均值"),
        text("rounds until within 5 % of the last round", "距末轮 5 % 内所需轮数"),
        text("rounds until within 5 % of the optimum", "距最优 5 % 内所需轮数"),
        text("particles' bytes, of the traffic", "粒子字节占流量"),
    )
    for scores in brains:
        summary = scores.summary()
        spread, later, settled, near, sent = (summary[name] for name in ROUND_FIGURES)
        assert spread is not None, "every matrix has rounds"
        assert settled is not None, "every matrix has rounds"
        assert near is not None, "every matrix has rounds"
        shown.add_row(
            scores.brain,
            *(f"{spread[key]:.4f}" for key in ("mean", "p95")),
            "-" if later is None else f"{later['mean']:.4f}",
            *(f"{figure['mean']:.2f}" for figure in (settled, near)),
            "-" if sent is None else f"{sent['mean']:.4%}",
        )
    return shown
