"""The page of a brain in a headless Chromium: what is drawn is what was learnt and planned, in both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_brains import BEGIN, DAYS, HOURS, POOLS, make_facts, make_outlook, make_plan, make_seen
from made_results import make_results
from pages import Open, colours, option
from playwright.sync_api import Browser, Page
from pydantic import ValidationError

import sim.report
from router_core.errors import BadInputError
from sim.plan_table import PlanTable
from sim.report import build
from sim.report.assembly import write_page
from sim.result_folder import read_metrics, read_network, read_plan, write_metrics, write_plan
from sim.results import BrainMetrics

pytestmark = pytest.mark.browser

CHARTS = ("profiles", "band", "plan")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>{}"
MEASURES = ("peak_mean", "peak_unheld", "peak_high", "churn", "held_share", "servers")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brain") / "brain.html"
    write_page(path, "brain", make_facts())
    return path


@pytest.fixture(scope="module")
def kept_page(opened: Open, report: Path) -> Iterator[Page]:
    with opened(report) as page:
        yield page


@pytest.fixture
def page(kept_page: Page) -> Page:
    for button in ("[data-language=en]", "#band-class [data-value=all]", "#plan-measure [data-value=servers]"):
        kept_page.click(button)
    kept_page.click("#plan-pool [data-value=all]")
    kept_page.click("#plan-measure [data-value=peak_mean]")
    return kept_page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_chart_is_drawn(opened: Open, report: Path, scheme: str, width: int) -> None:
    with opened(report, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        for chart in CHARTS:
            assert colours(page, chart) > 20, chart
            assert len(page.locator(f"#chart-{chart}").get_attribute("aria-label") or "") > 20
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_language_switch_changes_every_text_and_back(page: Page) -> None:
    before = page.locator("[data-text]").all_text_contents()
    whole = page.locator("body").inner_text()
    assert not CHINESE.search(whole.replace("中文", ""))
    page.click("[data-language=zh]")
    assert "调度大脑报告" in page.title()
    after = page.locator("[data-text]").all_text_contents()
    assert all(CHINESE.search(text) for text in after if text)
    # WAPE is called so in both.
    assert [text for text, old in zip(after, before, strict=True) if text == old] == []
    shown = page.locator("body").inner_text()
    assert "undefined" not in shown + whole
    assert {"日间查询", "夜间同步", "手工编写。", "月末"} <= set(re.findall("日间查询|夜间同步|手工编写。|月末", shown))
    page.click("[data-language=en]")
    assert page.locator("body").inner_text() == whole


def test_both_languages_say_the_same_things(chromium: Browser) -> None:
    folder = Path(sim.report.__file__).parent
    source = "\n".join((folder / name).read_text(encoding="utf-8") for name in ("texts.js", "brain_texts.js"))
    page = chromium.new_page()
    script = """(source) => {
        const texts = new Function(source + "; return BRAIN_TEXTS")();
        const keys = (of, path) => Object.entries(of).flatMap(([key, value]) => (
            typeof value === "object" ? keys(value, `${path}${key}/`) : [`${path}${key}: ${typeof value}`]));
        return [keys(texts.en, "").sort(), keys(texts.zh, "").sort()];
    }"""
    english, chinese = page.evaluate(script, source)
    page.close()
    assert english == chinese


def test_every_class_has_its_profile(page: Page) -> None:
    series = option(page, "profiles", "series")
    facts = make_facts()["learnt"]["classes"]
    assert [of["name"] for of in series] == [of["title_en"] for of in facts]
    for drawn, of in zip(series, facts, strict=True):
        assert drawn["data"][0::2] == [[hour, value] for hour, value in enumerate(of["profile"])]
    cells = page.locator("#effect-table tbody tr").nth(1).inner_text()
    assert "0.8 ×" in cells
    assert "4 ×" in cells
    assert "Holiday" not in page.locator("#effect-table").inner_text()
    assert "taken" in page.locator("#count-table tbody tr").first.inner_text()


@pytest.mark.parametrize(("choice", "column"), [("all", 2), ("0", 0), ("1", 1)])
def test_the_band_is_the_forecast_of_the_class(page: Page, choice: str, column: int) -> None:
    page.click(f"#band-class [data-value='{choice}']")
    outlook = make_outlook()
    drawn = {of["name"]: of["data"] for of in option(page, "band", "series")}
    begin_ms = page.evaluate(f"Date.UTC({BEGIN.year}, {BEGIN.month - 1}, {BEGIN.day})")
    for name, values in (("median", outlook.p50), ("95 % quantile", outlook.p95)):
        assert drawn[name][0::2] == [[begin_ms + 3_600_000 * h, values[h, column]] for h in range(HOURS)]
    came = [value for _, value in drawn["what came"][0::2]]
    assert came[:24] == make_seen(outlook).came[:24, column].tolist()
    assert set(came[24:]) == {None}
    marked = json.dumps(option(page, "band", "series.0.markArea.data"))
    assert marked.count("month end") == 2
    assert marked.count("weekend") == 2
    assert marked.count("provisional") == 1


def test_models_are_named_where_they_won(page: Page) -> None:
    rows = page.locator("#model-table tbody tr").all_inner_texts()
    assert "Synchronisation by night" in rows[0]
    assert "60%" in rows[0]
    assert "Queries by day" in rows[1]
    assert "The blend" in rows[2]
    assert "1.5%" in page.locator("#scores").inner_text()


@pytest.mark.parametrize("measure", MEASURES)
def test_the_heat_map_shows_each_hour_of_each_day(page: Page, measure: str) -> None:
    page.click(f"#plan-measure [data-value={measure}]")
    plan = make_plan()
    values = getattr(plan, measure)
    assert option(page, "plan", "series.0.data") == [[h % 24, h // 24, values[h]] for h in range(HOURS)]
    labels = [of["value"] for of in option(page, "plan", "yAxis.0.data")]
    assert len(labels) == DAYS
    assert labels[0] == "Fri 27 Mar"
    assert labels[1] == "Sat 28 Mar · weekend"
    assert labels[4] == "Tue 31 Mar · month end"
    # Peaks with and without holds are drawn to one scale.
    alike = ("peak_mean", "peak_unheld", "peak_high")
    most = max(max(getattr(plan, one)) for one in (alike if measure in alike else (measure,)))
    assert option(page, "plan", "visualMap.0.max") == pytest.approx(most)
    assert page.locator("#plan-pool-control").is_visible() == (measure == "servers")


@pytest.mark.parametrize("pool", range(len(POOLS)))
def test_the_heat_map_shows_each_pool(page: Page, pool: int) -> None:
    page.click("#plan-measure [data-value=servers]")
    page.click(f"#plan-pool [data-value='{pool}']")
    lent = make_plan().pools[pool].lent
    assert [value for *_, value in option(page, "plan", "series.0.data")] == lent


def test_a_page_without_later_traces_says_less(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "bare.html"
    write_page(path, "brain", make_facts(seen=False, held_out=False))
    with opened(path) as page:
        text = page.locator("body").inner_text()
        assert page.locator("#scores").inner_text() == page.locator("#drift").inner_text() == ""
        assert [of["name"] for of in option(page, "band", "series")][-1] == "median"
        for said in ("too short to hold days out", "planned as if free", "Nothing is held back."):
            assert said in text


def test_hostile_names_stay_text(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    write_page(path, "brain", make_facts(rename=HOSTILE))
    with opened(path) as page:
        page.click("#plan-measure [data-value=servers]")
        page.click("#band-class [data-value='1']")
        page.hover("#chart-plan")
        assert page.evaluate("window.hacked") is None
        assert HOSTILE.format("Queries by day") in page.locator("#class-table").inner_text()


def test_same_facts_give_same_bytes_and_nothing_is_fetched(report: Path, tmp_path: Path) -> None:
    write_page(tmp_path / "again.html", "brain", make_facts())
    assert (tmp_path / "again.html").read_bytes() == report.read_bytes()

    class Addresses(HTMLParser):
        found: list[str | None] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [value for name, value in attrs if name in ("src", "href", "data")]

    parser = Addresses()
    parser.feed(report.read_text(encoding="utf-8"))
    assert all(value and value.startswith("#") for value in parser.found)


def test_a_replay_shows_what_was_prepared(opened: Open, tmp_path: Path) -> None:
    folder = make_results(tmp_path / "run", cities=2, counties=1)
    metrics = read_metrics(folder, "ecmp", read_network(folder)).model_dump(mode="json")
    slots = 98
    metrics["withheld"] = {
        "exchanges": 120, "bytes": 10**9, "mean_ns": 10**12, "max_ns": 2 * 10**12, "peak": 30, "peak_bytes": 10**8,
        "at_slot_end": [slot % 31 for slot in range(slots)],
    }  # fmt: skip
    lent = [slot % 5 for slot in range(slots)]
    pool = {"name": "cloud", "label_zh": "云", "servers": 9, "peak": 4, "server_ns": 36 * 10**12, "lent": lent}
    metrics["pools"] = [pool]
    write_metrics(folder, BrainMetrics.model_validate(metrics))
    write_plan(folder, "ecmp", make_plan())
    with opened(build(folder)) as page:
        assert [value for _, value in option(page, "held", "series.0.data")[0::2]] == [
            slot % 31 for slot in range(slots)
        ]
        assert [value for _, value in option(page, "lent", "series.0.data")[0::2]] == [
            slot % 5 for slot in range(slots)
        ]
        row = page.locator("#prepared-table tbody tr").nth(1).inner_text().split()
        assert row[:2] == ["ecmp", "120"]
        assert row[-1] == "10"  # server hours
        page.click("#plan-measure [data-value=held_share]")
        assert [value for *_, value in option(page, "plan", "series.0.data")] == make_plan().held_share


def test_a_replay_without_preparation_has_no_such_section(opened: Open, tmp_path: Path) -> None:
    with opened(build(make_results(tmp_path / "run", cities=1, counties=1))) as page:
        assert not page.locator("#prepared").is_visible()
        assert "Prepared" not in page.locator("#contents").inner_text()


def test_a_plan_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    assert read_plan(tmp_path, "static") is None
    write_plan(tmp_path, "static", make_plan())
    assert read_plan(tmp_path, "static") == make_plan()


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("churn", [0.0], "churn"),
        ("servers", [-1] * HOURS, "servers"),
        ("slots", 0, "slots"),
        ("days", [], "days"),
        ("pools", [{"name": "a", "label_zh": "", "servers": 1, "lent": [1]}], "pools.a"),
        ("peak_mean", [float("nan")] * HOURS, "peak_mean"),
    ],
    ids=["short", "negative", "no slots", "no days", "pool short", "not finite"],
)
def test_a_plan_that_breaks_a_rule_is_refused(place: str, value: object, named: str, tmp_path: Path) -> None:
    stored = make_plan().model_dump(mode="json") | {place: value}
    with pytest.raises((BadInputError, ValidationError)):
        PlanTable.model_validate(stored)
    path = tmp_path / "static" / "plan.json"
    path.parent.mkdir()
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        read_plan(tmp_path, "static")
    assert named in str(caught.value)
    assert "plan.json" in str(caught.value)
