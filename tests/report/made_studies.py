"""Made pages of studies: one as each of the four might write it, and blocks of odd values."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np

from sim.report.blocks import (
    Axis,
    BarsBlock,
    Block,
    Cell,
    Column,
    FactsBlock,
    Form,
    Interval,
    IntervalsBlock,
    MapBlock,
    MapLine,
    MapSite,
    Mark,
    Page,
    ScatterBlock,
    ScatterGroup,
    SeriesBlock,
    SeriesLine,
    TableBlock,
    TextBlock,
    Verdict,
    Words,
)

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>{}"
LONG = "a-very-long-name-without-any-place-to-break-it-" * 4
PROVENANCE = {
    "command": "exchange-router compare --scenario toy",
    "version": "0.8.0",
    "commit": "0123456789abcdef0123",
    "scenario": "toy",
    "scenario_digest": "ab" * 32,
    "seeds": list(range(1, 13)),
}
SCENARIO = Words("Jiangxi, working Tuesday with a surge", "江西，含突增的普通周二")


def both(text: str) -> Words:
    """The same text in both languages, told apart."""
    return Words(f"{text} (en)", f"{text}（中）")


def page_of(*blocks: Block, verdict: Verdict | None = None, title: Words | None = None) -> Page:
    """A page of these blocks."""
    return Page(
        title=title or Words("A made study", "一项虚构的研究"),
        scenario=SCENARIO,
        verdict=verdict or Verdict(text=Words("Nothing was compared.", "没有比较任何事物。")),
        blocks=list(blocks),
    )


def make_compare(seed: int = 1) -> Page:
    """Two brains, paired seeds."""
    rng = np.random.default_rng(seed)
    measures = [
        ("p99, all modes", "p99，全部方式", Form.NS),
        ("p99 of queries", "联机查询 p99", Form.NS),
        ("median", "中位数", Form.NS),
        ("deadlines missed", "超期", Form.SHARE),
        ("server hours", "服务器小时", Form.HOURS),
        ("share of local routes", "本地路由占比", Form.SHARE),
    ]
    changes = [
        (-0.48, -0.52, -0.44),
        (-0.31, -0.40, -0.20),
        (0.02, -0.03, 0.06),
        (-0.9, -0.95, -0.8),
        (0.12, 0.08, 0.17),
        (0.0, 0.0, 0.0),
    ]
    tones = ["better", "better", "open", "better", "worse", "open"]
    intervals = [
        Interval.model_validate({"label": Words(en, zh), "value": v, "low": low, "high": high, "tone": tone})
        for (en, zh, _), (v, low, high), tone in zip(measures, changes, tones, strict=True)
    ]
    columns = [Column(title=Words("Seed", "种子"), form=Form.COUNT)]
    columns += [
        Column(title=Words(f"{en}, {of}", f"{zh}，{of}"), form=form) for en, zh, form in measures[:3] for of in "AB"
    ]
    rows: list[list[Cell]] = [[seed, *(int(x) for x in rng.lognormal(20, 0.6, 6))] for seed in range(1, 13)]
    spans = 10.0 ** np.linspace(7, 11, 60)
    lines = []
    for name, scale in (("static", 0.0), ("dynamic", -0.5)):
        above = 1.0 / (1.0 + np.exp(1.6 * (np.log(spans) - 20 - scale)))
        lines.append(
            SeriesLine(
                label=both(name), y=above.tolist(), low=(0.9 * above).tolist(), high=(1.1 * above).clip(0, 1).tolist()
            )
        )
    return page_of(
        IntervalsBlock(
            title=Words("What changes from A to B", "由 A 到 B 的变化"),
            note=Words("Paired by seed; 95 % intervals.", "按种子配对；95 % 区间。"),
            rows=intervals,
        ),
        SeriesBlock(
            title=Words("Tails of latency", "时延尾部"),
            x=Axis(title=Words("latency", "时延"), form=Form.NS, log=True),
            y=Axis(title=Words("share above", "超过的比例"), form=Form.SHARE, log=True),
            at=spans.tolist(),
            lines=lines,
        ),
        TableBlock(title=Words("Each seed", "逐个种子"), columns=columns, rows=rows),
        TextBlock(
            title=Words("How it was got", "方法"),
            text=Words(
                "Both brains lived the same worlds.\n\nIntervals are of paired changes.",
                "两个策略经历相同的世界。\n\n区间为配对变化的区间。",
            ),
        ),
        verdict=Verdict(
            text=Words(
                "B halves p99 of queries: −48 % [−52, −44], 12 seeds; it takes 12 % more server hours.",
                "B 将联机查询 p99 减半：−48 % [−52, −44]，12 个种子；多用 12 % 服务器小时。",
            ),
            confidence=0.95,
            good=True,
        ),
        title=Words("Comparison of static and dynamic", "静态与动态策略的比较"),
    )


def make_tune(seed: int = 1) -> Page:
    """A search over parameters."""
    rng = np.random.default_rng(seed)
    trials = rng.normal(0.05, 0.15, (120, 2))
    trials[:, 1] -= 0.5 * trials[:, 0]
    points = [(float(x), float(y)) for x, y in trials]
    front = [p for p in points if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points)]
    rest = [p for p in points if p not in front]
    names = ["busy", "hold_max", "calm_after", "probe_every", "share_step", "trust_half_life"]
    best = np.minimum.accumulate(trials[:, 0])
    return page_of(
        ScatterBlock(
            title=Words("Trials: p99 against capacity", "试验：p99 与容量"),
            note=Words("Less is better on both axes.", "两轴均以小为优。"),
            x=Axis(title=Words("p99, change", "p99 变化"), form=Form.CHANGE),
            y=Axis(title=Words("capacity, change", "容量变化"), form=Form.CHANGE),
            groups=[
                ScatterGroup(
                    label=Words("behind others", "被支配"),
                    look="faint",
                    points=rest,
                    names=[str(i) for i in range(len(rest))],
                ),
                ScatterGroup(label=Words("front", "前沿"), look="front", points=front),
                ScatterGroup(label=Words("defaults", "默认值"), look="chosen", points=[(0.0, 0.0)], names=["0"]),
                ScatterGroup(label=Words("found", "所选"), look="chosen", points=[min(front)], names=["77"]),
            ],
        ),
        SeriesBlock(
            title=Words("Best p99 so far", "迄今最优 p99"),
            x=Axis(title=Words("trial", "试验"), form=Form.COUNT),
            y=Axis(title=Words("p99, change", "p99 变化"), form=Form.CHANGE),
            at=list(range(120)),
            lines=[SeriesLine(label=Words("best so far", "迄今最优"), y=best.tolist())],
        ),
        BarsBlock(
            title=Words("What matters to p99", "对 p99 的影响"),
            form=Form.SHARE,
            rows=[(Words(n, n), 0.5 / (i + 1) ** 1.5, None) for i, n in enumerate(names)],
        ),
        TableBlock(
            title=Words("Parameters", "参数"),
            columns=[
                Column(title=Words("Parameter", "参数")),
                *(
                    Column(title=Words(t, z), form=Form.NUMBER)
                    for t, z in (("From", "下限"), ("To", "上限"), ("Default", "默认值"), ("Found", "所选"))
                ),
            ],
            rows=[[n, 0.1 * i, 10.0**i, 0.5, 0.123456 * 3**i] for i, n in enumerate(names)],
        ),
        FactsBlock(
            title=Words("Settings", "设置"),
            rows=[
                (Words("Trials", "试验"), "120"),
                (Words("Seeds", "种子"), "1, 2, 3"),
                (Words("Preferred", "首选目标"), Words("p99", "p99")),
            ],
        ),
        TextBlock(
            title=Words("How it was found", "方法"),
            text=Words("The best of many looks better than it is.", "多次试验中的最优者往往显得偏好。"),
        ),
        verdict=Verdict(
            text=Words(
                "Nothing better than the defaults was found on unseen traces.", "在未见轨迹上未找到优于默认值的参数。"
            ),
            confidence=0.95,
            good=False,
        ),
        title=Words("Tuning of dynamic", "动态策略的调参"),
    )


def made_sites(count: int, seed: int = 1) -> list[MapSite]:
    """A nation, a province, cities, counties, drawn around a place."""
    rng = np.random.default_rng(seed)
    sites = []
    for place in range(count):
        level = "province" if place == 0 else "city" if place <= count // 9 else "county"
        lon, lat = 115.8 + rng.normal(0, 1.0), 27.6 + rng.normal(0, 1.2)
        value = None if place % 7 == 6 else float(rng.lognormal(0, 1.5) / 50)
        sites.append(
            MapSite(
                name=f"{level}-{place}",
                label_zh=f"站点{place}",
                lon=lon,
                lat=lat,
                level=level,
                value=value,
                note=both("takes the rest"),
            )
        )
    return sites


def make_survive(seed: int = 1, rows: int = 300, columns: int = 12) -> Page:
    """Failures, one a row, and the map of what they cost."""
    rng = np.random.default_rng(seed)
    sites = made_sites(110, seed)
    cities = len(sites) // 9
    lines = [
        MapLine(a=0, b=b, carrier="telecom" if b % 2 else "unicom", value=float(rng.lognormal(0, 1.2) / 60))
        for b in range(1, cities + 1)
    ]
    lines += [
        MapLine(a=1 + b % cities, b=b, value=None if b % 5 == 0 else float(rng.lognormal(0, 1.2) / 100))
        for b in range(cities + 1, len(sites))
    ]
    kinds = [Words("line down", "线路中断"), Words("site down", "站点中断"), Words("half the servers", "服务器减半")]
    forms = [
        Form.NS,
        Form.CHANGE,
        Form.COUNT,
        Form.SHARE,
        Form.BYTES,
        Form.NUMBER,
        Form.HOURS,
        Form.MBPS,
        Form.COST,
        Form.DATE,
    ]
    heads = [Column(title=Words("What fails", "失效对象")), Column(title=Words("How", "方式"))]
    heads += [Column(title=both(form.value), form=form) for form in forms][: columns - 2]
    body: list[list[Cell]] = []
    for row in range(rows):
        values: list[Cell] = [
            int(rng.lognormal(20, 2)),
            float(rng.lognormal(-1, 2) - 0.5),
            int(rng.integers(0, 100_000)),
            float(rng.random()),
            int(rng.lognormal(22, 3)),
            float(rng.lognormal(0, 3)),
            float(rng.lognormal(3, 1)),
            int(rng.integers(1, 10_000)),
            float(rng.lognormal(8, 1)),
            f"2026-03-{1 + row % 28:02d}",
        ]
        body.append(
            [f"{sites[row % 110].name} – {sites[(row * 7) % 110].name}", kinds[row % 3], *values[: columns - 2]]
        )
    worst = sorted(
        ((site.name, site.label_zh, site.value) for site in sites if site.value is not None), key=lambda one: -one[2]
    )
    return page_of(
        MapBlock(
            title=Words("What each failure costs", "各失效的代价"),
            note=Words(
                "Share of exchanges that miss their deadline more than without the failure.",
                "相对无失效时多出的超期比例。",
            ),
            form=Form.SHARE,
            sites=sites,
            lines=lines,
        ),
        TableBlock(title=Words("Every failure", "全部失效"), columns=heads, rows=body),
        BarsBlock(
            title=Words("The worst", "最严重者"),
            form=Form.SHARE,
            names=(Words("without spares", "无备用"), Words("with spares", "有备用")),
            rows=[(Words(en, zh), value, value / 3) for en, zh, value in worst[:30]],
        ),
        FactsBlock(title=Words("Settings", "设置"), rows=[(Words("Replays", "回放"), "301")]),
        SeriesBlock(
            title=Words("Recovery", "恢复过程"),
            x=Axis(title=Words("local time", "当地时间"), form=Form.DATE),
            y=Axis(title=Words("waiting", "排队"), form=Form.COUNT),
            at=[f"2026-03-17T{hour:02d}:00" for hour in range(24)],
            lines=[
                SeriesLine(
                    label=both("worst"),
                    y=[
                        None if hour in (3, 5) else round(1000 * math.exp(-(((hour - 12) / 4) ** 2)))
                        for hour in range(24)
                    ],
                )
            ],
            marks=[
                Mark(at="2026-03-17T09:30", label=Words("fails", "失效")),
                Mark(at="2026-03-17T11:00", label=Words("mended", "修复")),
            ],
        ),
        verdict=Verdict(
            text=Words(
                "Two of 300 single failures are not survived: the line Nanchang – Ganzhou, and the site Jiujiang.",
                "300 种单点失效中有 2 种无法承受：南昌–赣州线路与九江站点。",
            ),
            good=None,
        ),
        title=Words("Survival of single failures", "单点失效的生存性"),
    )


def make_grow(seed: int = 1) -> Page:
    """Two years of growth."""
    rng = np.random.default_rng(seed)
    days = [date(2026, 1, 1) + timedelta(days=day) for day in range(730)]
    load = [0.45 * 1.0009**day + 0.1 * math.sin(day / 58) + 0.02 * rng.normal() for day in range(730)]
    first = next(day for day, value in zip(days, load, strict=True) if value > 0.8)
    return page_of(
        SeriesBlock(
            title=Words("Busiest station of each day", "每日最忙站点"),
            note=Words("Load over limit: 1 is the limit.", "负载与上限之比。"),
            x=Axis(title=Words("date", "日期"), form=Form.DATE),
            y=Axis(title=Words("load over limit", "负载/上限")),
            at=[day.isoformat() for day in days],
            lines=[
                SeriesLine(
                    label=Words("load over limit", "负载/上限"),
                    y=load,
                    low=[v * 0.9 for v in load],
                    high=[v * 1.12 for v in load],
                )
            ],
            limits=[(Words("limit", "上限"), 1.0)],
            marks=[
                Mark(at=first.isoformat(), label=Words("first limit", "首个上限")),
                Mark(at="2027-02-01", label=Words("after the upgrade", "升级后")),
            ],
        ),
        TableBlock(
            title=Words("The cheapest upgrades", "最省的升级"),
            columns=[
                Column(title=Words("Upgrade", "升级")),
                Column(title=Words("When", "时间"), form=Form.DATE),
                Column(title=Words("Rate", "速率"), form=Form.MBPS),
                Column(title=Words("Cost", "费用"), form=Form.COST),
            ],
            rows=[["Nanchang – Ganzhou", "2026-09-01", 2000, 120.5], ["Jiujiang, exchange", "2027-01-15", None, 33000]],
        ),
        BarsBlock(
            title=Words("Load before and after", "升级前后负载"),
            form=Form.SHARE,
            names=(Words("before", "之前"), Words("after", "之后")),
            rows=[(both("Nanchang – Ganzhou"), 1.21, 0.61), (both("Jiujiang"), 1.05, 0.7)],
        ),
        verdict=Verdict(
            text=Words(
                "The first limit is reached on 1 September 2026 [July, November]; upgrades of 33,120 units of cost "
                "last until the end of 2027.",
                "首个上限于 2026 年 9 月 1 日达到 [7 月, 11 月]；33,120 单位费用的升级可用至 2027 年底。",
            ),
            confidence=0.9,
            good=False,
        ),
        title=Words("Growth: first limits and the cheapest upgrade", "增长：最先达到的上限与最省的升级"),
    )


STUDIES = {"compare": make_compare, "tune": make_tune, "survive": make_survive, "grow": make_grow}
