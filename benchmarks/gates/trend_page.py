"""The page of the nights: what changed most, every figure over time by its limit, and all of them in a table.

It is a study's page (`sim.report.study_page`): the same look, both languages, one file that fetches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.gates.history import Figure, History, Night
from sim.report.assembly import write_page
from sim.report.blocks import (
    Axis,
    Block,
    Column,
    FactsBlock,
    Form,
    Page,
    SeriesBlock,
    SeriesLine,
    TableBlock,
    Verdict,
    Words,
)
from sim.report.study_page import study_facts

BEFORE: Final = 30  # nights before the last one with whose median it is compared
CHANGED: Final = 25
LINES: Final = 6  # of a chart: more cannot be told apart
LIMIT: Final = Words("limit", "上限")
# Where figures come from, in Chinese; names of figures are the same in both languages.
KINDS: Final = {
    "gate imports": "门禁：加载的包",
    "gate instructions": "门禁：指令数",
    "gate ratios": "门禁：内核用时比",
    "gate start": "门禁：启动用时比",
    "gate memory": "门禁：内存峰值",
    "gate quality": "门禁：结果质量",
    "goal": "目标",
    "median": "基准中位数",
}


def write(path: Path, history: History, command: str) -> Path:
    """Write the page, whole or not at all; the same history gives the same bytes.

    Parameters
    ----------
    path : Path
    history : History
        Of one night at least.
    command : str
        Which command makes this page, for whoever wants it again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    last = history.nights[-1]
    provenance = {"command": command, "commit": last.commit, "toolchain": dict(sorted(last.toolchain.items()))}
    write_page(path, "study", study_facts(trend(history), provenance))
    return path


def trend(history: History) -> Page:
    """Return what there is to see."""
    nights = history.nights
    names = sorted({name for night in nights for name in night.figures})
    blocks: list[Block] = [_nights(history)]
    if len(nights) > 1:
        blocks.append(_changes(nights, names))
    for kind, of_kind in _kinds(names):
        for first in range(0, len(of_kind), LINES):
            part = of_kind[first : first + LINES]
            blocks.append(_course(kind, f"{first + 1}–{first + len(part)} / {len(of_kind)}", nights, part))
    blocks.append(_all(nights, names))
    dates = f"{nights[0].date[:10]} – {nights[-1].date[:10]}"
    return Page(
        title=Words("Trend of the nightly runs", "夜间运行趋势"),
        scenario=Words(dates, dates),
        verdict=_verdict(nights),
        blocks=blocks,
    )


def _verdict(nights: Sequence[Night]) -> Verdict:
    last = nights[-1]
    if last.failed:
        named = ", ".join(last.failed[:3]) + (" …" if len(last.failed) > 3 else "")
        text = Words(
            f"Last night {len(last.failed)} of {len(last.figures)} figures or parts failed: {named}",
            f"昨夜 {len(last.figures)} 项指标中有 {len(last.failed)} 项指标或环节未通过：{named}",
        )
    else:
        text = Words(f"Last night all {len(last.figures)} figures held.", f"昨夜 {len(last.figures)} 项指标全部通过。")
    return Verdict(text=text, good=not last.failed)


def _nights(history: History) -> FactsBlock:
    last = history.nights[-1]
    rows: list[tuple[Words, str | Words]] = [
        (Words("nights", "夜数"), str(len(history.nights))),
        (Words("last night", "最近一夜"), last.date),
        (Words("commit", "提交"), last.commit),
        (Words("lines left out", "略去的行"), str(len(history.broken))),
    ]
    rows += [(Words("left out", "略去"), text) for text in history.broken[:10]]
    return FactsBlock(title=Words("Nights", "夜间运行"), rows=rows)


def _changes(nights: Sequence[Night], names: Sequence[str]) -> TableBlock:
    """Figures of the last night that are farthest from their median, by change."""
    rows = []
    for name in names:
        figure, middle = nights[-1].figures.get(name), _median_before(nights, name)
        if figure is not None and middle:
            rows.append((figure.value / middle - 1, name, figure, middle))
    rows.sort(key=lambda row: (-abs(row[0]), row[1]))
    return TableBlock(
        title=Words("What changed most", "变化最大的指标"),
        note=Words(
            f"The last night against the median of up to {BEFORE} nights before it.",
            f"最近一夜与此前至多 {BEFORE} 夜中位数的比较。",
        ),
        columns=[
            Column(title=Words("figure", "指标")),
            Column(title=Words("change", "变化"), form=Form.CHANGE),
            Column(title=Words("last night", "最近一夜"), form=Form.NUMBER),
            Column(title=Words("median before", "此前中位数"), form=Form.NUMBER),
            Column(title=Words("limit", "上限"), form=Form.NUMBER),
            Column(title=Words("unit", "单位")),
        ],
        rows=[
            [_same(name), change, one.value, middle, one.limit, one.unit]
            for change, name, one, middle in rows[:CHANGED]
        ],
    )


def _course(kind: str, part: str, nights: Sequence[Night], names: Sequence[str]) -> SeriesBlock:
    """Some figures over time: as a share of the limit where there is one, else of the median of all nights."""
    lines, limited = [], False
    for name in names:
        found = [night.figures.get(name) for night in nights]
        whole = median(one.value for one in found if one is not None)
        lines.append(SeriesLine(label=_same(name), y=[None if one is None else _share(one, whole) for one in found]))
        limited = limited or any(one is not None and one.limit for one in found)
    return SeriesBlock(
        title=Words(f"{kind} · {part}", f"{KINDS.get(kind, kind)} · {part}"),
        note=Words(
            "As a share of the limit of that night; figures without a limit, of their median over all nights.",
            "以当夜上限的百分比表示；没有上限的指标以全部夜晚的中位数为准。",
        ),
        x=Axis(title=Words("night", "夜"), form=Form.DATE),
        y=Axis(title=Words("share", "比例"), form=Form.SHARE),
        at=[night.date[:19] for night in nights],
        lines=lines,
        limits=[(LIMIT, 1.0)] if limited else [],
    )


def _all(nights: Sequence[Night], names: Sequence[str]) -> TableBlock:
    rows: list[list[int | float | str | Words | None]] = []
    for name in names:
        found = [night.figures[name] for night in nights if name in night.figures]
        values = [one.value for one in found]
        last = nights[-1].figures.get(name)
        rows.append(
            [
                _same(name), None if last is None else last.value, median(values), min(values), max(values),
                found[-1].limit, found[-1].target, found[-1].unit, len(values),
            ]
        )  # fmt: skip
    numbers = {
        "last night": "最近一夜", "median": "中位数", "least": "最小", "greatest": "最大", "limit": "上限",
        "target": "目标",
    }  # fmt: skip
    return TableBlock(
        title=Words("All figures", "全部指标"),
        columns=[
            Column(title=Words("figure", "指标")),
            *(Column(title=Words(*both), form=Form.NUMBER) for both in numbers.items()),
            Column(title=Words("unit", "单位")),
            Column(title=Words("nights", "夜数"), form=Form.COUNT),
        ],
        rows=rows,
    )


def _share(figure: Figure, whole: float) -> float | None:
    by = figure.limit if figure.limit else whole
    return figure.value / by if by else None


def _median_before(nights: Sequence[Night], name: str) -> float | None:
    before = [night.figures[name].value for night in nights[-1 - BEFORE : -1] if name in night.figures]
    return median(before) if before else None


def _kinds(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Names by what stands before their colon, in order."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(name.split(":", 1)[0], []).append(name)
    yield from kinds.items()


def _same(name: str) -> Words:
    return Words(name, name)
