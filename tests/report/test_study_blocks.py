"""Blocks of a study's page in a headless Chromium: what is drawn and written is what the block says."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_studies import PROVENANCE, both, page_of
from pages import Open, option
from playwright.sync_api import Browser
from playwright.sync_api import Page as Browsed

import sim.report
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
    ScatterBlock,
    ScatterGroup,
    SeriesBlock,
    SeriesLine,
    TableBlock,
    TextBlock,
    Verdict,
    Words,
)
from sim.report.study_page import write_study_page

pytestmark = pytest.mark.browser
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_page(*blocks: Block, verdict: Verdict | None = None, **provenance: Any) -> Path:
        return write_study_page(tmp_path, page_of(*blocks, verdict=verdict), PROVENANCE | provenance)

    return write_page


def column_texts(page: Browsed, column: int) -> list[str]:
    cells = page.locator(f".table-block tbody tr > :nth-child({column + 1})").all_inner_texts()
    return [text.replace("\u00a0", " ") for text in cells]


WRITTEN: list[tuple[Form, Cell, str, str]] = [
    (Form.TEXT, "a", "a", "a"),
    (Form.TEXT, Words("one", "一"), "one", "一"),
    (Form.TEXT, "", "–", "–"),
    (Form.TEXT, None, "–", "–"),
    (Form.COUNT, 1_234_567, "1,234,567", "1,234,567"),
    (Form.COUNT, -3, "−3", "−3"),
    (Form.NUMBER, 0.123456, "0.123", "0.123"),
    (Form.NUMBER, 0, "0", "0"),
    (Form.NUMBER, 1.5e-7, "1.5E−7", "1.5E−7"),
    (Form.NS, 12_300_000, "12.3 ms", "12.3 毫秒"),
    (Form.NS, -90 * 10**9, "−1.5 min", "−1.5 分钟"),
    (Form.NS, 0, "0 ms", "0 毫秒"),
    (Form.SHARE, 0.25, "25%", "25%"),
    (Form.SHARE, -0.5, "−50%", "−50%"),
    (Form.CHANGE, -0.48, "−48%", "−48%"),
    (Form.CHANGE, 0.12, "+12%", "+12%"),
    (Form.CHANGE, 0.0, "0%", "0%"),
    (Form.CHANGE, 9.0, "× 10", "× 10"),
    (Form.BYTES, 1_500_000, "1.5 MB", "1.5 MB"),
    (Form.HOURS, 12.5, "12.5 h", "12.5 小时"),
    (Form.MBPS, 155, "155 Mbit/s", "155 Mbit/s"),
    (Form.COST, 33_120, "33,120", "33,120"),
    (Form.COST, 0.5, "0.5", "0.5"),
    (Form.DATE, "2026-03-17", "17 Mar 2026", "2026年3月17日"),
    (Form.DATE, "2026-03-17T09:30", "17 Mar 2026 09:30", "2026年3月17日 09:30"),
    (Form.DATE, "in spring", "in spring", "in spring"),
]


def test_every_form_is_written_in_both_languages(opened: Open, write: Write) -> None:
    blocks = [
        TableBlock(title=both("t"), columns=[Column(title=both("c"), form=form)], rows=[[v]]) for form, v, *_ in WRITTEN
    ]
    with opened(write(*blocks)) as page:
        for place, language in ((2, "en"), (3, "zh")):
            page.click(f"[data-language={language}]")
            assert column_texts(page, 0) == [row[place] for row in WRITTEN]


@pytest.mark.parametrize("seed", range(3))
def test_sorting_is_by_value_stable_and_has_nothing_last(opened: Open, write: Write, seed: int) -> None:
    # Written, 950 ms would come after 2 min; many rows share a value.
    values = [(7919 * (place + seed) % 11) * 10**9 if place % 5 else None for place in range(40)]
    rows: list[list[Cell]] = [[f"row {place}", value] for place, value in enumerate(values)]
    columns = [Column(title=both("name")), Column(title=both("time"), form=Form.NS)]
    with opened(write(TableBlock(title=both("t"), columns=columns, rows=rows))) as page:
        head = page.locator("thead button").nth(1)
        known = [place for place, value in enumerate(values) if value is not None]
        rest = [place for place, value in enumerate(values) if value is None]
        for way, sign in (("descending", -1), ("ascending", 1)):
            head.click()
            assert page.locator("thead th").nth(1).get_attribute("aria-sort") == way
            wanted = sorted(known, key=lambda place: sign * (values[place] or 0)) + rest
            assert column_texts(page, 0) == [f"row {place}" for place in wanted]
        head.click()
        assert column_texts(page, 0) == [str(row[0]) for row in rows]


def test_a_long_table_is_turned_filtered_and_keeps_the_focus(opened: Open, write: Write) -> None:
    rows: list[list[Cell]] = [[f"row {place}", place % 7] for place in range(1234)]
    columns = [Column(title=both("name")), Column(title=both("number"), form=Form.COUNT)]
    with opened(write(TableBlock(title=both("t"), columns=columns, rows=rows))) as page:
        told = page.locator(".table-tools output")
        assert told.inner_text() == "1–100 of 1,234 rows"
        assert page.get_by_role("button", name="Back").is_disabled()
        page.get_by_role("button", name="Last").click()
        assert told.inner_text() == "1,201–1,234 of 1,234 rows"
        assert page.get_by_role("button", name="Next").is_disabled()
        page.get_by_role("button", name="Back").click()
        assert column_texts(page, 0)[0] == "row 1100"
        page.locator("thead button").nth(1).focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.textContent") == "number (en)"
        assert set(column_texts(page, 1)) == {"6"}
        page.fill("input[type=search]", "ROW 77 0")
        found = [place for place in range(1234) if "77" in str(place) and ("0" in str(place) or place % 7 == 0)]
        found.sort(key=lambda place: -(place % 7))
        assert column_texts(page, 0) == [f"row {place}" for place in found]
        page.fill("input[type=search]", "nowhere")
        assert "No row has these words." in page.locator(".table-block").inner_text()


def test_csv_is_read_back_as_the_table(opened: Open, write: Write) -> None:
    rows: list[list[Cell]] = [
        ['a "quoted", name', 1, Words("one", "一"), 0.1],
        ["two\nlines", None, "=1+1", -2.5e-9],
        ["plain", 10**15, "@home", 3.0],
    ]
    forms = [Form.TEXT, Form.NS, Form.TEXT, Form.CHANGE]
    columns = [Column(title=both(name), form=form) for name, form in zip("abcd", forms, strict=True)]
    with opened(
        write(TableBlock(title=both("Save me / now"), columns=columns, rows=rows)), accept_downloads=True
    ) as page:
        for language, one, unit in (("en", "one", "ns"), ("zh", "一", "纳秒")):
            page.click(f"[data-language={language}]")
            with page.expect_download() as waited:
                page.locator(".table-tools button").last.click()
            assert waited.value.suggested_filename == "part-1-save-me-now-en.csv"
            read = list(csv.reader(io.StringIO(Path(waited.value.path()).read_text(encoding="utf-8-sig"), newline="")))
            assert read[0][1].endswith(f"[{unit}]")
            assert [row[0] for row in read[1:]] == [row[0] for row in rows]
            assert [row[1] for row in read[1:]] == ["1", "", str(10**15)]
            # A spreadsheet must not take a name for a formula.
            assert [row[2] for row in read[1:]] == [one, "'=1+1", "'@home"]
            assert [float(row[3]) for row in read[1:]] == [0.1, -2.5e-9, 3.0]


def places(page: Browsed) -> list[tuple[float, float, float]]:
    """Where the low end, the mark and the high end of each row are, in percent."""
    script = """() => [...document.querySelectorAll("svg.interval")].map((row) => {
        const bar = row.querySelectorAll(".range")[0];
        const mark = row.querySelector("svg");
        return [bar.getAttribute("x1"), mark.getAttribute("x"), bar.getAttribute("x2")].map(parseFloat);
    })"""
    return [tuple(row) for row in page.evaluate(script)]


def test_intervals_stand_where_their_values_are(opened: Open, write: Write) -> None:
    values = [(-0.5, -0.48, -0.4), (0.0, 0.0, 0.0), (0.1, 0.2, 0.7)]
    rows = [Interval(label=both("r"), low=low, value=value, high=high, tone="better") for low, value, high in values]
    with opened(write(IntervalsBlock(title=both("i"), rows=rows))) as page:
        at = places(page)
        reference = float((page.locator(".reference").first.get_attribute("x1") or "").rstrip("%"))
        scale = (at[0][0] - reference) / values[0][0]
        for row, place in zip(values, at, strict=True):
            assert place == pytest.approx([reference + scale * value for value in row], abs=0.01)
            assert all(0 <= one <= 100 for one in place)
        assert page.locator(".estimate").first.inner_text() == "−48% [−50%, −40%]"
        assert "✓ better" in page.locator(".meaning").first.inner_text()


def test_large_changes_are_drawn_by_factors(opened: Open, write: Write) -> None:
    values = [(-0.75, -0.5, 1.0), (3.0, 7.0, 15.0)]
    rows = [Interval(label=both("r"), low=low, value=value, high=high) for low, value, high in values]
    with opened(write(IntervalsBlock(title=both("i"), rows=rows))) as page:
        at = places(page)
        reference = float((page.locator(".reference").first.get_attribute("x1") or "").rstrip("%"))
        doubling = at[0][2] - reference
        for row, place in zip(values, at, strict=True):
            wanted = [reference + doubling * math.log2(1 + value) for value in row]
            assert place == pytest.approx(wanted, abs=0.01)
        assert "halving is as far" in page.locator(".intervals-block").inner_text()


def test_points_stand_where_their_values_are(opened: Open, write: Write) -> None:
    points: list[tuple[float, float]] = [(30.0, 1.0), (0.0, 2.0), (10.0, -3.0), (1.0, 5.0)]
    groups = [
        ScatterGroup(label=both("f"), look="front", points=points),
        ScatterGroup(label=both("c"), look="chosen", points=[(2.0, 2.0)]),
    ]
    block = ScatterBlock(title=both("s"), x=Axis(title=both("x"), log=True), y=Axis(title=both("y")), groups=groups)
    with opened(write(block)) as page:
        drawn = [entry["value"] for entry in option(page, "1", "series.0.data")]
        assert drawn == [pytest.approx([math.log10(x), y]) for x, y in sorted(points) if x > 0]
        legend = page.locator(".scatter-block .legend").inner_text()
        assert "1 at or below 0" in legend
        assert "5" not in legend
        symbols = {entry["symbol"] for entry in option(page, "1", "series")}
        assert len(symbols) == 2
        assert "f (en): 4" in (page.locator("#chart-1").get_attribute("aria-label") or "")


def test_far_changes_stand_by_factors_and_names_at_one_place_share_a_label(opened: Open, write: Write) -> None:
    groups = [
        ScatterGroup(label=both("f"), points=[(-0.5, 0.1), (7.0, 0.2)]),
        ScatterGroup(label=both("one"), look="chosen", points=[(1.0, 0.15)]),
        ScatterGroup(label=both("two"), look="chosen", points=[(1.0, 0.15)]),
    ]
    axis = Axis(title=both("x"), form=Form.CHANGE)
    with opened(write(ScatterBlock(title=both("s"), x=axis, y=axis, groups=groups))) as page:
        series = option(page, "1", "series")
        assert [entry["value"] for entry in series[0]["data"]] == [[-1.0, 0.1], [3.0, 0.2]]
        assert [entry["label"]["formatter"] for entry in series] == ["", "", "one (en) · two (en)"]
        titles = page.locator(".axis-title").all_inner_texts()
        assert titles == ["↑ x (en)", "x (en) (by factors) →"]


def test_curves_limits_and_marks_stand_where_they_are(opened: Open, write: Write) -> None:
    at = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]
    y = [1.0, None, 3.0, 4.0]
    block = SeriesBlock(
        title=both("s"),
        x=Axis(title=both("x"), form=Form.DATE),
        y=Axis(title=both("y")),
        at=at,
        lines=[SeriesLine(label=both("l"), y=y, low=[0.5, None, 2.5, 3.5], high=[1.5, None, 3.5, 4.5])],
        limits=[(both("near"), 5.0), (both("far"), 1e6)],
        marks=[Mark(at="2026-02-15", label=both("m"))],
    )
    with opened(write(block)) as page:
        ms = [page.evaluate("(day) => Date.parse(day + 'T00:00:00Z')", day) for day in at]
        series = option(page, "1", "series")
        assert series[0]["data"] == [list(pair) for pair in zip(ms, y, strict=True)]
        # The gap parts the band in two.
        assert [len(entry["data"]) for entry in series if entry["type"] == "custom"] == [1, 1]
        rules = series[-1]["markLine"]["data"]
        assert [rule.get("yAxis") for rule in rules] == [5.0, None]
        assert rules[1]["xAxis"] == page.evaluate("Date.parse('2026-02-15T00:00:00Z')")
        assert option(page, "1", "yAxis.0.max") >= 5.0
        assert "far (en): 1,000,000, outside the picture" in page.locator(".series-block .legend").inner_text()
        assert "m (en): 15 Feb 2026" in (page.locator("#chart-1").get_attribute("aria-label") or "")


def test_bars_are_as_long_as_their_values(opened: Open, write: Write) -> None:
    values = [(10.0 - place, 5.0 - place) for place in range(30)]
    block = BarsBlock(
        title=both("b"),
        names=(both("before"), both("after")),
        rows=[(both(f"r{i}"), a, b) for i, (a, b) in enumerate(values)],
    )
    with opened(write(block)) as page:
        assert page.locator(".bars tbody tr").count() == 20
        page.get_by_role("button", name="Show all 30").click()
        script = """() => [...document.querySelectorAll(".bar-track i")].map(
            (bar) => [bar.style.left, bar.style.width].map(parseFloat))"""
        drawn = page.evaluate(script)
        size = 10.0 + 24.0
        for (left, width), value in zip(drawn, [one for pair in values for one in pair], strict=True):
            assert width == pytest.approx(100 * abs(value) / size, abs=0.01)
            assert left == pytest.approx(100 * (min(value, 0.0) + 24.0) / size, abs=0.01)
        assert "before (en)" in page.locator(".bars-block").inner_text()


def test_the_map_ranks_what_has_a_value(opened: Open, write: Write) -> None:
    values = [0.5, None, 0.9, 0.1]
    sites = [
        MapSite(
            name=f"site {i}",
            label_zh=f"站{i}",
            lon=115.0 + i,
            lat=28.0 - i % 2,
            level="city",
            value=value,
            note=both("why"),
        )
        for i, value in enumerate(values)
    ]
    lines = [MapLine(a=0, b=1, carrier="telecom", value=0.7), MapLine(a=2, b=3)]
    with opened(write(MapBlock(title=both("m"), form=Form.SHARE, sites=sites, lines=lines))) as page:
        names = page.locator(".hot button").all_inner_texts()
        assert names == ["site 2 city", "site 0 – site 1 · telecom line", "site 0 city", "site 3 city"]
        assert page.locator(".hot .value").all_inner_texts() == ["90%", "70%", "50%", "10%"]
        page.locator(".hot button").first.click()
        assert page.locator("#chart-1 .sr-only").inner_text() == "site 2. city: 90%. why (en)."
        page.locator("#chart-1").focus()
        page.keyboard.press("n")
        assert page.locator("#chart-1 .sr-only").inner_text().startswith("site 2.")
        page.keyboard.press("n")
        assert page.locator("#chart-1 .sr-only").inner_text().startswith("site 0.")
        page.click("[data-language=zh]")
        assert page.locator(".hot button").first.inner_text().startswith("站2")


@pytest.mark.parametrize(
    ("good", "confidence", "sign", "told"),
    [
        (True, 0.95, "✓", "As hoped · confidence 95%"),
        (False, None, "✕", "Not as hoped · no statistics behind it"),
        (None, 0.99999, "?", "Open · confidence > 99.9%"),
    ],
)
def test_the_verdict_says_what_it_is(
    opened: Open, write: Write, good: bool | None, confidence: float | None, sign: str, told: str
) -> None:
    text = Words("B halves p99.", "B 将 p99 减半。")
    with opened(write(verdict=Verdict(text=text, confidence=confidence, good=good))) as page:
        assert page.locator("#verdict").inner_text().split("\n")[-1] == told
        assert page.locator("#verdict .sign").inner_text() == sign
        page.click("[data-language=zh]")
        assert text.zh in page.locator("#verdict").inner_text()


@pytest.mark.parametrize("blocks", [2, 6])
def test_contents_lead_to_every_block(opened: Open, write: Write, blocks: int) -> None:
    made = [TextBlock(title=Words(f"Same {place % 2}", "同"), text=both("t")) for place in range(blocks)]
    with opened(write(*made)) as page:
        listed = "#outline a" if blocks > 4 else "#contents a"
        targets = [link.get_attribute("href") or "" for link in page.locator(listed).all()]
        anchors = [target for target in targets if target.startswith("#part")]
        assert len(set(anchors)) == blocks
        for target in targets:
            assert page.locator(target).count() == 1
        assert page.locator("#outline").is_visible() == (blocks > 4)


def test_provenance_is_whole(opened: Open, write: Write) -> None:
    arms = [{"label": "a", "brain": "ecmp", "setting": None}, {"label": "b", "brain": "static", "setting": "s.toml"}]
    with opened(write(FactsBlock(title=both("f"), rows=[(both("n"), "v")]), arms=arms, seeds=[3, 1, 2])) as page:
        stated = page.locator("#provenance").inner_text()
        for value in (*PROVENANCE.values(), "label: a · brain: ecmp\n", "label: b · brain: static · setting: s.toml"):
            if isinstance(value, str):
                assert value in stated
        assert "3, 1, 2" in stated
        assert "3 (3, 1, 2)" in page.locator("#stamp").inner_text()


def test_both_languages_say_the_same_things(chromium: Browser) -> None:
    folder = Path(sim.report.__file__).parent
    source = "\n".join((folder / name).read_text(encoding="utf-8") for name in ("texts.js", "study_texts.js"))
    page = chromium.new_page()
    script = """(source) => {
        const texts = new Function(source + "; return STUDY_TEXTS")();
        const keys = (of, path) => Object.entries(of).flatMap(([key, value]) => (
            typeof value === "object" ? keys(value, `${path}${key}/`) : [`${path}${key}`]));
        return [keys(texts.en, "").sort(), keys(texts.zh, "").sort()];
    }"""
    english, chinese = page.evaluate(script, source)
    page.close()
    assert english == chinese
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("block_*.js"))
    asked = set(re.findall(r'\btext\("([a-z_.]+)"', scripts))
    own = {
        key
        for key in asked
        if key.split(".")[0] in {"table", "series", "scatter", "intervals", "bars", "map_block", "tone", "block"}
    }
    assert own
    assert own <= set(english)
