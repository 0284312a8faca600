"""What a brain learnt and planned, on the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table

from exchange_router import console

Facts = dict[str, Any]


def fit_tables(facts: Facts, out: Path) -> list[Table]:
    """Return what fitting tells: the file, the classes, the models chosen, the days of the plan."""
    text = console.text
    history, plan = facts["history"], facts["plan"]
    provisional = [day["date"] for day in plan["days"] if day["provisional"]]
    about = [
        (text("file", "文件"), f"{out} ({console.size(out.stat().st_size)})"),
        (text("history", "历史"), f"{history['begin']} - {history['end']}, {history['hours']:,} h"),
        (text("exchanges", "交换次数"), f"{history['exchanges']:,}"),
        (text("lines' other users", "线路其他用户"), facts["lines"] or text("unknown: as if free", "未知：按空闲规划")),
        (text("provisional days", "暂定日"), ", ".join(provisional) or "-"),
    ]
    return [
        console.facts(text("Brain", "调度大脑"), about),
        *class_tables(facts, counts=False),
        _models(facts),
        _days(facts),
    ]


def class_tables(facts: Facts, *, counts: bool = True) -> list[Table]:
    """Return the table of classes, and how stable other numbers of them would be."""
    text = console.text
    learnt = facts["learnt"]
    shown = console.table(
        text("Classes of demand", "需求类别"),
        text("class", "类别"),
        text("relations", "关系数"),
        text("exchanges", "次数"),
        text("bytes", "字节"),
        text("mean size", "平均大小"),
        text("priority", "优先级"),
        text("may wait", "可延后"),
        text("calendar", "日历"),
    )
    for one in learnt["classes"]:
        policy = one["policy"]
        waits = policy["deferrable"] and policy["hold_max_ns"] > 0
        shown.add_row(
            _title(one),
            f"{one['relations']:,}",
            f"{one['exchanges_share']:.1%}",
            f"{one['bytes_share']:.1%}",
            console.size(one["mean_bytes"]),
            str(policy["priority"]),
            console.duration(policy["hold_max_ns"]) if waits else "-",
            ", ".join(f"{name} x{level:.2g}" for name, level in one["effects"].items() if level is not None) or "-",
        )
    if not counts or not learnt["counts"]:
        return [shown]
    tried = console.table(
        text("Numbers of classes", "类数比较"),
        text("classes", "类数"),
        text("stability", "稳定性"),
        text("silhouette", "轮廓系数"),
    )
    for one in learnt["counts"]:
        tried.add_row(str(one["classes"]), _decimal(one["stability"]), _decimal(one["silhouette"]))
    return [shown, tried]


def drift_tables(facts: Facts) -> list[Table]:
    """Return what has changed since; nothing where no later trace was given."""
    drift, text = facts["drift"], console.text
    if drift is None:
        return []
    shown = console.table(
        text(f"Since then, {drift['hours']} h", f"其后 {drift['hours']} 小时"),
        text("class", "类别"),
        text("level", "水平"),
        text("other hours: index", "时段变化指数"),
        text("its limit", "限值"),
        text("new relations", "新增关系"),
        text("came", "转入"),
        text("went", "转出"),
        text("moved", "已变化"),
    )
    for one, about in zip(drift["classes"], facts["learnt"]["classes"], strict=True):
        moved = one["level_moved"] or one["shape_moved"]
        figures = (_decimal(one["level"]), _decimal(one["index"]), _decimal(one["index_limit"]))
        counts = (f"{one[name]:,}" for name in ("new", "entered", "left"))
        shown.add_row(_title(about), *figures, *counts, text("yes", "是") if moved else "-")
    said = [("-", line) for line in drift[text("texts_en", "texts_zh")]]
    return [shown, *([console.facts(text("Findings", "结论"), said)] if said else [])]


def tide_tables(facts: Facts) -> list[Table]:
    """Return the models chosen, the forecast day by day, and how it fared."""
    tables = [_models(facts), _forecast(facts)]
    seen, text = facts["tides"]["seen"], console.text
    if seen is None:
        return tables
    shown = console.table(
        text(f"What came, {seen['hours']} h", f"实际对照，{seen['hours']} 小时"),
        text("of", "对象"),
        "WAPE",
        text("pinball 95 %", "95% 分位损失"),
        text("coverage 95 %", "95% 覆盖率"),
    )
    parts = [(_title(one), seen["classes"][one["name"]]) for one in facts["learnt"]["classes"]]
    whole = [(text("every series", "逐个序列"), seen["series"]), (text("all together", "全部合计"), seen["all"])]
    for name, score in [*whole, *parts]:
        shown.add_row(name, *(_decimal(score[key]) for key in ("wape", "pinball", "coverage")))
    return [*tables, shown]


def _models(facts: Facts) -> Table:
    text, chosen = console.text, facts["tides"]["chosen"]
    held = chosen["held_out"]
    when = " - ".join(held) if held else text("nothing held out", "无留出日")
    shown = console.table(
        text(f"Tide models, compared on {when}", f"潮汐模型，比较于 {when}"),
        text("model", "模型"),
        text("weight", "权重"),
        "WAPE",
        text("pinball 95 %", "95% 分位损失"),
        text("best for", "最适合"),
    )
    titles = {one["name"]: _title(one) for one in facts["learnt"]["classes"]}
    scores = {one["model"]: one for one in chosen["scores"]}
    best: dict[str, list[str]] = {}
    for name, title in titles.items():
        found = [
            (one["by_class"][name]["wape"], model)
            for model, one in scores.items()
            if model != "blend" and one["by_class"].get(name, {}).get("wape") is not None
        ]
        if found:
            best.setdefault(min(found)[1], []).append(title)
    for model in [*chosen["weights"], *(["blend"] if "blend" in scores else [])]:
        weight = chosen["weights"].get(model)
        score = scores.get(model, {})
        shown.add_row(
            model,
            "" if weight is None else f"{weight:.0%}",
            _decimal(score.get("wape")),
            _decimal(score.get("pinball")),
            ", ".join(best.get(model, [])),
        )
    return shown


def _days(facts: Facts) -> Table:
    text, plan = console.text, facts["plan"]
    shown = console.table(
        text("The plan, day by day", "方案逐日一览"),
        text("day", "日期"),
        text("expected peak", "预期峰值"),
        text("nothing held back", "不延后时"),
        text("worst case", "最坏情形"),
        text("at", "时刻"),
        text("held back, at most", "延后占比（最多）"),
        text("servers, at most", "服务器（最多）"),
    )
    for day, slots in _slots_by_day(plan):
        busiest = max(slots, key=lambda slot: plan["peak_mean"][slot])
        most = {
            name: max(plan[name][slot] for slot in slots)
            for name in ("peak_unheld", "peak_high", "held_share", "servers")
        }
        shown.add_row(
            day,
            f"{plan['peak_mean'][busiest]:.1%}",
            f"{most['peak_unheld']:.1%}",
            f"{most['peak_high']:.1%}",
            f"{_moment(plan, busiest):%H:%M}",
            f"{most['held_share']:.1%}",
            f"{most['servers']:,}",
        )
    return shown


def _forecast(facts: Facts) -> Table:
    text, plan, tides = console.text, facts["plan"], facts["tides"]
    titles = [_title(one) for one in facts["learnt"]["classes"]]
    came = tides["seen"] and tides["seen"]["came"]
    shown = console.table(
        text("Expected exchanges a day, by class and in all", "逐日预期交换次数，按类别及合计"),
        text("day", "日期"),
        *titles,
        text("all", "全部"),
        *([text("came", "实际")] if came else []),
    )
    for day, slots in _slots_by_day(plan):
        rows = [f"{sum(values[slot] for slot in slots):,.0f}" for values in tides["mean"]]
        if came:
            known = [came[-1][slot] for slot in slots if came[-1][slot] is not None]
            rows.append(f"{sum(known):,.0f} ({len(known)} h)" if known else "-")
        shown.add_row(day, *rows)
    return shown


def _slots_by_day(plan: Facts) -> list[tuple[str, list[int]]]:
    """Each planned day, with what is special about it, and its slots."""
    slots: dict[str, list[int]] = {day["date"]: [] for day in plan["days"]}
    for slot in range(plan["slots"]):
        slots[_moment(plan, slot).date().isoformat()].append(slot)
    return [(_day(day), slots[day["date"]]) for day in plan["days"]]


def _day(day: Facts) -> str:
    marks = [] if day["kind"] == "workday" else [day["kind"]]
    marks += [*day["marks"], *(["provisional"] if day["provisional"] else [])]
    return " ".join([day["date"], *(f"({mark.replace('_', ' ')})" for mark in marks)])


def _moment(plan: Facts, slot: int) -> datetime:
    return datetime.fromisoformat(plan["begin"]) + timedelta(microseconds=slot * plan["slot_ns"] // 1_000)


def _title(one: Facts) -> str:
    return str(one[console.text("title_en", "title_zh")])


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
