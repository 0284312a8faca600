"""Pages of studies in a headless Chromium: every block is drawn and reacts, whatever it holds; nothing is fetched."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_studies import HOSTILE, LONG, PROVENANCE, STUDIES, both, page_of
from pages import Open
from playwright.sync_api import Page as Browsed
from pydantic import ValidationError

from router_core.errors import BadInputError
from sim.report.blocks import (
    Axis,
    BarsBlock,
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
    Words,
)
from sim.report.study_page import write_study_page

CHINESE = re.compile(r"[\u4e00-\u9fff]")
BYTES_MAX = 2_000_000


def odd_page() -> Page:
    """Blocks of every kind that hold nothing, one thing, extremes, or what somebody wrote to do harm."""
    axis = Axis(title=both(HOSTILE), log=True)
    return page_of(
        TableBlock(title=both("empty"), columns=[Column(title=both("a"))], rows=[]),
        TableBlock(
            title=both(HOSTILE),
            note=both(LONG),
            columns=[Column(title=both(HOSTILE), form=form) for form in Form],
            rows=[
                [None] * len(Form),
                [HOSTILE if form in (Form.TEXT, Form.DATE) else 0 for form in Form],
                [LONG if form in (Form.TEXT, Form.DATE) else -1e15 for form in Form],
                [both("b") if form is Form.TEXT else "2026-03-17" if form is Form.DATE else 1e-12 for form in Form],
            ],
        ),
        IntervalsBlock(title=both("none"), rows=[]),
        IntervalsBlock(
            title=both("odd"),
            rows=[
                Interval(label=both(HOSTILE), value=0.0, low=0.0, high=0.0),
                Interval(label=both(LONG), value=1e9, low=-1e9, high=1e12, tone="worse"),
            ],
        ),
        ScatterBlock(title=both("no point"), x=axis, y=axis, groups=[]),
        ScatterBlock(
            title=both("one point"),
            x=axis,
            y=Axis(title=both("y")),
            groups=[ScatterGroup(label=both(HOSTILE), look="chosen", points=[(1.0, 0.0)], names=[HOSTILE])],
        ),
        SeriesBlock(title=both("no values"), x=Axis(title=both("x")), y=axis, at=[], lines=[]),
        SeriesBlock(
            title=both("gaps"),
            x=Axis(title=both("x"), form=Form.DATE),
            y=Axis(title=both("y"), form=Form.NS),
            at=["2026-01-01", "2026-01-02"],
            lines=[SeriesLine(label=both(HOSTILE), y=[None, 5], low=[None, 5], high=[None, 6])],
            limits=[(both(HOSTILE), 5)],
            marks=[Mark(at="2026-01-02", label=both(HOSTILE))],
        ),
        BarsBlock(title=both("no bar"), rows=[]),
        BarsBlock(
            title=both("bars"), names=(both(HOSTILE), both("b")), rows=[(both(HOSTILE), 0, None), (both(LONG), 5, 0)]
        ),
        MapBlock(title=both("no place"), sites=[], lines=[]),
        MapBlock(
            title=both("one place"),
            sites=[
                MapSite(
                    name=HOSTILE, label_zh=HOSTILE, lon=115.0, lat=28.0, level="city", value=1.0, note=both(HOSTILE)
                ),
                MapSite(name="b", label_zh="b", lon=115.0, lat=28.0, level="county"),
            ],
            lines=[MapLine(a=0, b=1, carrier=HOSTILE, value=0.0), MapLine(a=1, b=1)],
        ),
        FactsBlock(title=both("facts"), rows=[(both(HOSTILE), HOSTILE), (both("b"), both("c"))]),
        FactsBlock(title=both("no facts"), rows=[]),
        TextBlock(title=both("text"), text=both(HOSTILE)),
    )


MADE = {**STUDIES, "odd": odd_page}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("studies")
    result = {}
    for name, make in MADE.items():
        (folder / name).mkdir()
        result[name] = write_study_page(folder / name, make(), PROVENANCE)
    return result


@pytest.fixture(scope="module")
def survived(opened: Open, written: dict[str, Path]) -> Iterator[Browsed]:
    with opened(written["survive"], accept_downloads=True) as page:
        yield page


def wide(page: Browsed) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("name", sorted(MADE))
def test_equal_pages_are_equal_bytes_of_bounded_size(name: str, written: dict[str, Path], tmp_path: Path) -> None:
    again = write_study_page(tmp_path, MADE[name](), PROVENANCE)
    assert again.read_bytes() == written[name].read_bytes()
    assert len(again.read_bytes()) < BYTES_MAX


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_page_comes_back_from_its_stored_text(name: str) -> None:
    page = MADE[name]()
    assert Page.model_validate_json(page.model_dump_json()) == page


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", sorted(MADE))
def test_every_block_is_there_in_both_languages_on_any_screen(
    name: str, width: int, scheme: str, opened: Open, written: dict[str, Path]
) -> None:
    blocks = MADE[name]().blocks
    with opened(written[name], viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        for language in ("en", "zh"):
            page.click(f"[data-language={language}]")
            assert page.locator("#blocks > section").count() == len(blocks)
            for index, block in enumerate(blocks):
                section = page.locator("#blocks > section").nth(index)
                section.scroll_into_view_if_needed()
                assert section.locator("h2").inner_text() == block.title[language == "zh"]
            assert wide(page) <= 0
        assert page.evaluate("window.hacked") is None
        assert CHINESE.search(page.locator("#provenance").inner_text())


@pytest.mark.browser
@pytest.mark.parametrize("form", [Form.NS, Form.SHARE, Form.BYTES, Form.NUMBER, Form.CHANGE])
def test_tables_sort_by_value_and_by_keyboard(form: Form, opened: Open, tmp_path: Path) -> None:
    # As texts they would stand in another order: 900 before 1,000, and -5 after -10.
    values = [900.0, 1_000.0, None, 5e9, 0.004, -5.0, -10.0, 2e6, 0.0, 31.0]
    rows = [[f"row {number}", value] for number, value in enumerate(values)]
    columns = [Column(title=both("name")), Column(title=both("value"), form=form)]
    path = write_study_page(tmp_path, page_of(TableBlock(title=both("t"), columns=columns, rows=rows)), PROVENANCE)
    ascending = [f"row {values.index(value)}" for value in sorted(one for one in values if one is not None)]
    with opened(path) as page:
        head = page.locator("thead th").nth(1)
        head.locator("button").focus()
        found = {}
        for _ in range(2):
            page.keyboard.press("Enter")
            found[head.get_attribute("aria-sort")] = page.locator("tbody tr > :first-child").all_inner_texts()
        # What is not known stands last, whichever way.
        assert found == {"ascending": [*ascending, "row 2"], "descending": [*ascending[::-1], "row 2"]}


@pytest.mark.browser
def test_a_table_is_filtered_and_taken_away_as_csv(survived: Browsed) -> None:
    survived.click("[data-language=en]")
    table = next(
        block for block in STUDIES["survive"]().blocks if isinstance(block, TableBlock) and len(block.rows) > 20
    )
    section = survived.locator("section", has=survived.locator(f"h2:text-is('{table.title.en}')"))
    first = table.rows[0][0]
    name = first if isinstance(first, str) else first[0]
    section.locator("input[type=search]").fill(name)
    assert 0 < section.locator("tbody tr").count() < len(table.rows)
    with survived.expect_download() as waited:
        section.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.reader(io.StringIO(Path(waited.value.path()).read_text(encoding="utf-8-sig"))))
    assert len(rows) == 1 + section.locator("tbody tr").count()
    assert [len(row) for row in rows] == [len(table.columns)] * len(rows)
    section.locator("input[type=search]").fill("")


@pytest.mark.browser
def test_paper_has_all_rows(opened: Open, tmp_path: Path) -> None:
    rows = [[f"row {number}", number] for number in range(1_200)]
    columns = [Column(title=both("name")), Column(title=both("number"), form=Form.COUNT)]
    path = write_study_page(tmp_path, page_of(TableBlock(title=both("long"), columns=columns, rows=rows)), PROVENANCE)
    with opened(path) as page:
        assert page.locator("tbody tr").count() < len(rows)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("tbody tr").count() == len(rows)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("tbody tr").count() < len(rows)


@pytest.mark.browser
def test_a_tone_is_told_by_more_than_its_colour(opened: Open, written: dict[str, Path]) -> None:
    with opened(written["compare"]) as page:
        intervals = next(block for block in STUDIES["compare"]().blocks if isinstance(block, IntervalsBlock))
        told = page.locator(".intervals-block").first.inner_text()
        for tone in {row.tone for row in intervals.rows} - {"open"}:
            assert tone in told


def test_what_blocks_cannot_be_is_refused() -> None:
    with pytest.raises((BadInputError, ValidationError), match="cells"):
        TableBlock(title=both("t"), columns=[Column(title=both("a"))], rows=[[1, 2]])
    with pytest.raises((BadInputError, ValidationError), match="hold its value"):
        Interval(label=both("i"), value=2.0, low=0.0, high=1.0)
    with pytest.raises((BadInputError, ValidationError), match="must join"):
        MapBlock(title=both("m"), sites=[], lines=[MapLine(a=0, b=0)])
    axis = Axis(title=both("x"))
    with pytest.raises((BadInputError, ValidationError), match="values"):
        SeriesBlock(title=both("s"), x=axis, y=axis, at=[1, 2], lines=[SeriesLine(label=both("l"), y=[1])])
    with pytest.raises(ValidationError):
        TextBlock(title=Words("a", "b"), text=both("c"), more=1)  # type: ignore[call-arg]
