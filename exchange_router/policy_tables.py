"""An explanation of routes on the terminal, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.table import Table

from exchange_router import console
from router_core.units import SECOND_NS
from sim.decision_texts import FIGURE_WORDS, REASON_WORDS, TRUST_WORDS, Words, form_of, kind_words, subject_words
from sim.explanation import Explanation, StationKnown, Way
from strategies.decision import Decision, DecisionKind


def explanation_document(of: Explanation) -> dict[str, Any]:
    """Return the explanation as JSON-ready values."""
    return {
        "provenance": of.run.provenance.model_dump(mode="json"),
        "brain": of.brain,
        "source": of.source,
        "target": of.target,
        "at": of.at.isoformat(),
        "policy": {
            "since": of.since.isoformat(),
            "until": of.until.isoformat(),
            "reason": of.reason.value,
            "trust": of.trust.name.lower(),
            "share_within": of.share_within,
            "state_within": of.state_within,
        },
        "split": {"since": of.split_since.isoformat(), "reason": of.split_reason.value, "delay_ns": of.delay_ns},
        "ways": [asdict(way) | {"busiest": way.busiest.name} for way in of.ways],
        "decisions": [
            {
                "now_ns": one.now_ns,
                "observed_ns": one.observed_ns,
                "kind": one.kind.value,
                "reason": one.reason.value,
                "subject": list(one.subject),
                "figures": dict(one.figures),
            }
            for one in of.decisions
        ],
        "decisions_left_out": of.decisions_left_out,
    }


def explanation_tables(of: Explanation) -> list[Table]:
    """Return the tables: the policy, its ways, their stations, and the decisions around."""
    text = console.text
    about = [
        (text("pair", "节点对"), f"{of.source} → {of.target}"),
        (text("at", "时刻"), f"{of.at:%Y-%m-%d %H:%M:%S}"),
        (text("brain", "策略"), of.brain),
        (text("policy in force", "生效方案"), f"{of.since:%m-%d %H:%M:%S} - {of.until:%m-%d %H:%M:%S}"),
        (text("because", "原因"), say(REASON_WORDS[of.reason])),
        (text("goes by", "依据"), say(TRUST_WORDS[of.trust])),
        (
            text("this split since", "该分配始于"),
            f"{of.split_since:%m-%d %H:%M:%S}: {say(REASON_WORDS[of.split_reason])}",
        ),
        (text("expected delay", "预期时延"), console.duration(of.delay_ns)),
    ]
    if of.share_within or of.state_within > 1:
        told = text(
            f"shares within {of.share_within:.1%}, stations within {of.state_within:.1f} noticeable changes",
            f"份额误差不超过 {of.share_within:.1%}，服务站误差不超过 {of.state_within:.1f} 个可察觉变化",
        )
        about.append((text("stored to", "存储精度"), told))
    return [
        console.facts(text("Policy", "策略"), about),
        _ways(of),
        *[_stations(number, way) for number, way in enumerate(of.ways, start=1)],
        *([_decisions(of)] if of.decisions else []),
    ]


def say(words: Words) -> str:
    """Return the words in the user's language."""
    return console.text(*words)


def figure(name: str, value: float) -> str:
    """Return a figure of a decision with its name and unit."""
    form = form_of(name)
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"
    shown = {
        "share": f"{value:.1%}",
        "times": console.text(f"{number} times", f"{number} 倍"),
        "duration": console.duration(value * SECOND_NS),
        "bytes": console.size(value),
        "per_second": f"{number}/s",
        "bytes_per_second": f"{console.size(value)}/s",
        "number": number,
    }[form]
    return f"{say(FIGURE_WORDS[name])} {shown}"


def _age(age_s: float | None) -> str:
    return console.text("never seen", "从未观测") if age_s is None else console.duration(age_s * SECOND_NS)


def _oldest(way: Way) -> str:
    if way.oldest_s is None or not way.unseen:
        return _age(way.oldest_s)
    unseen = console.text(f"{way.unseen} never seen", f"{way.unseen} 个从未观测")
    return f"{_age(way.oldest_s)}, {unseen}"


def _difference(way: Way) -> str:
    if way.difference_ns is None:
        return "-"
    sign = "+" if way.difference_ns >= 0 else "-"
    return sign + console.duration(abs(way.difference_ns))


def _ways(of: Explanation) -> Table:
    text = console.text
    shown = console.table(
        text("Ways: in use, then what alternatives would cost", "路径：在用路径与备选代价"),
        text("way", "路径"),
        text("share", "份额"),
        text("expected delay", "预期时延"),
        text("against the pair's mean", "与平均之差"),
        text("busiest station", "最忙服务站"),
        text("utilisation", "利用率"),
        text("oldest knowledge", "最旧信息"),
        text("least confidence", "最低置信"),
        text("lost stations", "失效服务站"),
    )
    for number, way in enumerate(of.ways, start=1):
        shown.add_row(
            str(number),
            f"{way.share:.1%}",
            console.duration(way.delay_ns),
            _difference(way),
            way.busiest.name,
            f"{way.busiest.utilisation:.1%}",
            _oldest(way),
            f"{way.least_confidence:.2f}",
            ", ".join(way.lost) or "-",
        )
    return shown


def _stations(number: int, way: Way) -> Table:
    text = console.text
    shown = console.table(
        text(f"Way {number}: what was known of its stations", f"路径 {number}：所知的服务站状态"),
        text("station", "服务站"),
        text("stay", "停留"),
        text("utilisation", "利用率"),
        text("loss", "丢失"),
        text("seen before", "观测距今"),
        text("confidence", "置信"),
        text("remarks", "备注"),
    )
    for one in way.stations:
        shown.add_row(
            one.name,
            console.duration(one.stay_ns),
            f"{one.utilisation:.1%}",
            f"{one.loss:.1%}",
            _age(one.age_s),
            f"{one.confidence:.2f}",
            _remarks(one),
        )
    return shown


def _remarks(of: StationKnown) -> str:
    text = console.text
    remarks = [] if of.up else [text("lost", "失效")]
    if not of.identified:
        remarks.append(text("not told apart from its neighbours", "无法与相邻站区分"))
    return ", ".join(remarks) or "-"


def _decisions(of: Explanation) -> Table:
    text = console.text
    shown = console.table(
        text("Decisions around that time", "前后的决策"),
        text("time", "时间"),
        text("what and why", "决策与原因"),
        text("whom it concerns", "涉及对象"),
        text("figures", "数值"),
    )
    for column in shown.columns:
        column.justify = "left"
    for one in of.decisions:
        moment = of.run.start + timedelta(microseconds=one.now_ns // 1_000)
        sentence = f"{say(kind_words(one.kind, one.reason))}{text(': ', '：')}{say(REASON_WORDS[one.reason])}"
        figures = ", ".join(figure(name, value) for name, value in one.figures.items())
        shown.add_row(f"{moment:%m-%d %H:%M:%S}", sentence, _subjects(one) or "-", figures or "-")
    if of.decisions_left_out:
        more = text(f"{of.decisions_left_out:,} more", f"另有 {of.decisions_left_out:,} 条")
        shown.add_row("", more, "", "")
    return shown


def _subjects(of: Decision) -> str:
    """Names as the brain gave them, but what it goes by or observes in the user's language."""
    words = [(name, subject_words(name, of.kind, of.reason)) for name in of.subject]
    between = " → " if of.kind == DecisionKind.TRUST_CHANGED else ", "
    return between.join(name if said is None else say(said) for name, said in words)
