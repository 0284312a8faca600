"""Names and descriptions of classes, in words a person would use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import Mode, TaskKind
from strategies.classes.tally import HOURS, WORKING_WEEK

RUSH: Final = 2.5  # level of special days that names a class
NIGHT: Final = (*range(7), 22, 23)
OFFICE: Final = tuple(range(8, 18))

# Special days that may name a class: slug, English, Chinese.
_RUSHES: Final = {
    "yearly": ("year-end", "Year-end", "年报期"),
    "half_yearly": ("half-year", "Half-year", "半年报期"),
    "month_end": ("month-end", "Month-end", "月末"),
    "reporting": ("start-of-month", "Start-of-month", "月初"),
}
_TIDES: Final = {
    "night": ("nightly", "Nightly", "夜间", "at night", "集中在夜间"),
    "steady": ("round-the-clock", "Round-the-clock", "全天候", "evenly day and night", "昼夜均匀"),
    "hourly": ("daytime-hourly", "Hourly daytime", "日间小时级", "evenly through the day", "白天均匀"),
    "office": ("office-hours", "Office-hours", "办公时段", "in office hours", "集中在办公时段"),
    "public": ("day-and-evening", "Day-and-evening", "日间及晚间", "by day and in the evening", "白天和晚间"),
    "mixed": ("mixed-hours", "Mixed-hours", "混合时段", "at various hours", "时段不定"),
}
_WAYS: Final = {
    (Mode.DOCKING, TaskKind.SYNC): ("docking-synchronisation", "docking synchronisation", "对接同步"),
    (Mode.DOCKING, TaskKind.EXCHANGE): ("docking-services", "docking services", "对接服务"),
    (Mode.FRONT_END, TaskKind.SYNC): ("file-synchronisation", "file synchronisation", "文件同步"),
    (Mode.FRONT_END, TaskKind.EXCHANGE): ("file-exchange", "file exchange", "文件交换"),
    (Mode.QUERY, TaskKind.SYNC): ("recurring-queries", "recurring queries", "定时查询"),
    (Mode.QUERY, TaskKind.EXCHANGE): ("queries", "online queries", "联机查询"),
    (Mode.BATCH, TaskKind.SYNC): ("batch-synchronisation", "batch synchronisation", "批量同步"),
    (Mode.BATCH, TaskKind.EXCHANGE): ("batch-downloads", "batch downloads", "批量下载"),
}
_REPORTS: Final = ("reports", "reports", "报表")
_EFFECTS: Final = {
    "weekend": ("on days off", "休息日"),
    "holiday": ("on holidays", "节假日"),
    "month_end": ("at month-ends", "月末"),
    "reporting": ("on reporting days", "月初报送日"),
    "yearly": ("when yearly reports are due", "年报期"),
    "half_yearly": ("when half-year reports are due", "半年报期"),
}


@dataclass(frozen=True)
class Words:
    """What a class is called: slug, titles, a sentence in each language, and the mean size that tells twins apart."""

    name: str
    title_en: str
    title_zh: str
    description_en: str
    description_zh: str
    mean_bytes: float


def words_of(
    profile: NDArray[np.float64],
    effects: dict[str, float],
    mode_share: NDArray[np.float64],
    exchange_share: float,
    mean_bytes: float,
    lead_ns: int,
) -> Words:
    """Describe a class.

    Parameters
    ----------
    profile : float64 (168,)
        From Monday 00:00.
    effects : dict of str to float
        See `DemandClass`.
    mode_share : float64 (4,)
    exchange_share : float
        Share of exchange tasks, the others are synchronisation.
    mean_bytes : float
    lead_ns : int
        -1: no deadline.
    """
    mode = Mode(int(mode_share.argmax()))
    kind = TaskKind.EXCHANGE if exchange_share >= 0.5 else TaskKind.SYNC
    slug, english, chinese = _WAYS[mode, kind]
    tide = _tide(profile, kind)
    first, title, title_zh, when, when_zh = _TIDES[tide]
    rushes = {name: effects[name] for name in _RUSHES if effects[name] >= RUSH}
    if rushes:
        first, title, title_zh = _RUSHES[next(iter(rushes))]
        if mode == Mode.BATCH:
            slug, english, chinese = _REPORTS
    levels = [(name, effects[name]) for name in _EFFECTS if np.isfinite(effects[name])]
    shown = [(name, level) for name, level in levels if not 0.75 <= level <= 1.33]
    special = ", ".join(f"{level:.2g} times as many {_EFFECTS[name][0]}" for name, level in shown)
    special_zh = "，".join(f"{_EFFECTS[name][1]}为平日的{level:.2g}倍" for name, level in shown)
    due = "no deadline" if lead_ns < 0 else f"due within {_span(lead_ns, 0)}"
    due_zh = "无时限" if lead_ns < 0 else f"时限{_span(lead_ns, 1)}"
    english_mode = _WAYS[mode, kind][1]
    return Words(
        name=f"{first}-{slug}",
        title_en=f"{title} {english}",
        title_zh=f"{title_zh}{chinese}",
        description_en=(
            f"{english_mode.capitalize()} {when}; {_size(mean_bytes)} on average, {due}; "
            f"{special or 'the calendar changes little'}."
        ),
        description_zh=(
            f"{_WAYS[mode, kind][2]}，{when_zh}；平均{_size(mean_bytes)}，{due_zh}；{special_zh or '随日历变化不大'}。"
        ),
        mean_bytes=mean_bytes,
    )


def made_unique(words: list[Words]) -> list[Words]:
    """Tell classes of one name apart by their sizes."""
    result = list(words)
    for name, count in Counter(one.name for one in words).items():
        if count == 1:
            continue
        twins = sorted((one.mean_bytes, index) for index, one in enumerate(words) if one.name == name)
        for rank, (_, index) in enumerate(twins):
            slug, english, chinese = _RANKS[rank, count] if count == 2 else (f"size-{rank + 1}",) * 3
            one = words[index]
            result[index] = replace(
                one,
                name=f"{one.name}-{slug}",
                title_en=f"{one.title_en} ({english})",
                title_zh=f"{one.title_zh}（{chinese}）",
            )
    return result


_RANKS: Final = {(0, 2): ("smaller", "smaller", "较小"), (1, 2): ("larger", "larger", "较大")}


def _tide(profile: NDArray[np.float64], kind: TaskKind) -> str:
    working = profile[:WORKING_WEEK].reshape(5, HOURS).mean(axis=0)
    off = profile[WORKING_WEEK:].reshape(2, HOURS).mean(axis=0)
    total = max(float(working.sum()), 1e-12)
    night, office = working[list(NIGHT)].sum() / total, working[list(OFFICE)].sum() / total
    weekend = off.sum() / total
    busy = working[working > 0.1 * working.max(initial=0.0)]
    flat = len(busy) > 0 and busy.max() <= 1.5 * busy.mean()
    rules = (
        ("night", night >= 0.7),
        ("steady", flat and len(busy) >= 22 and weekend >= 0.7),
        ("hourly", flat and kind == TaskKind.SYNC and len(busy) >= 8),
        ("office", office >= 0.7 and weekend <= 0.4),
        ("public", night <= 0.25),
    )
    return next((name for name, holds in rules if holds), "mixed")


def _size(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"


def _span(span_ns: int, language: int) -> str:
    for names, factor in ((("h", "小时"), HOUR_NS), (("min", "分钟"), MINUTE_NS)):
        if span_ns >= factor:
            return f"{span_ns / factor:.3g} {names[language]}".replace(" 小", "小").replace(" 分", "分")
    return f"{span_ns / SECOND_NS:.3g} s" if language == 0 else f"{span_ns / SECOND_NS:.3g}秒"
