"""The report in a headless Chromium: everything is drawn, everything reacts, nothing is fetched or logged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_results import SLOTS, make_network, make_results, make_slots
from pages import Open, all_drawn, colours, option, picture, seen, shown
from playwright.sync_api import Browser, Page

import sim.report
from sim.report import build
from sim.report.province_map import province_map
from sim.report.slot_loads import slot_loads
from sim.result_folder import (
    STATIONS_SCHEMA,
    read_metrics,
    read_network,
    write_metrics,
    write_pairs,
    write_station_slots,
)
from sim.results import BrainMetrics, PairTable, StationSlots

pytestmark = pytest.mark.browser

CHARTS = ("strip", "tide-count", "tide-bytes", "tail", "stations", "queues")
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>{}"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def kept_page(opened: Open, report: Path) -> Iterator[Page]:
    with opened(report) as page:
        shown(page)
        yield page


@pytest.fixture
def page(kept_page: Page) -> Page:
    """The page as it was opened, near enough: loading it anew for each test would take a second each time."""
    kept_page.emulate_media(color_scheme="light", reduced_motion="reduce")
    first = ("[data-language=en]", "#map-brain [data-value='0']", "#map-layer [data-value=load]")
    for button in (*first, "#map-carrier [data-value=all]", "#zoom-all"):
        kept_page.click(button)
    shown(kept_page)
    kept_page.click("#tail-mode [data-value=all]")
    kept_page.click("#to-peak")
    return kept_page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("browser") / "out", cities=3, counties=2)


@pytest.fixture(scope="module")
def report(folder: Path) -> Path:
    return build(folder)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn(opened: Open, report: Path, scheme: str, width: int) -> None:
    with opened(report, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        for chart in CHARTS:
            assert colours(page, chart) > 20, chart
            series = option(page, chart, "series")
            assert sum(len(part["data"]) for part in series) > 0, chart
        shown(page)
        assert colours(page, "map") > 20
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_charts_far_below_are_drawn_too_without_scrolling(opened: Open, report: Path) -> None:
    with opened(report, viewport={"width": 1280, "height": 300}) as page:
        all_drawn(page)
        assert page.evaluate("scrollY") == 0


def test_chart_describes_itself_to_who_cannot_see_it(page: Page) -> None:
    for chart in ("map", *CHARTS):
        label = page.locator(f"#chart-{chart}").get_attribute("aria-label")
        assert label
        assert len(label) > 20
    assert page.locator("#slot").get_attribute("aria-valuetext")


def test_language_switch_changes_every_text_and_back(page: Page) -> None:
    before = page.locator("[data-text]").all_text_contents()
    whole = page.locator("body").inner_text()
    assert "中文" in whole
    assert not CHINESE.search(whole.replace("中文", ""))
    page.click("[data-language=zh]")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert "回放报告" in page.title()
    after = page.locator("[data-text]").all_text_contents()
    assert all(CHINESE.search(text) for text in after if text)
    assert [text for text, old in zip(after, before, strict=True) if text == old] == []
    assert page.locator("#chart-map").get_attribute("aria-label")
    assert CHINESE.search(page.locator("#chart-map").get_attribute("aria-label") or "")
    assert "undefined" not in page.locator("body").inner_text()
    # Every centre's label ends alike, which a map of centres need not repeat.
    assert "中心" not in page.locator("#moment-lines").inner_text()
    assert "毫秒" in page.locator("#cards").inner_text()
    page.click("[data-language=en]")
    assert page.locator("body").inner_text() == whole


def test_reader_of_chinese_is_greeted_in_chinese(opened: Open, report: Path) -> None:
    with opened(report, locale="zh-CN") as page:
        assert page.locator("html").get_attribute("lang") == "zh-CN"


def test_both_languages_say_the_same_things(chromium: Browser) -> None:
    source = (Path(sim.report.__file__).parent / "texts.js").read_text(encoding="utf-8")
    page = chromium.new_page()
    script = """(source) => {
        const texts = new Function(source + "; return TEXTS")();
        const keys = (of, path) => Object.entries(of).flatMap(([key, value]) => (
            typeof value === "object" ? keys(value, `${path}${key}/`) : [`${path}${key}: ${typeof value}`]));
        return [keys(texts.en, ""), keys(texts.zh, "")];
    }"""
    keys = [[key for key in of if not key.startswith("reasons/")] for of in page.evaluate(script, source)]
    page.close()
    assert sorted(keys[0]) == sorted(keys[1])


def test_slider_moves_the_map(page: Page, folder: Path) -> None:
    network = read_network(folder)
    made = make_network(cities=3, counties=2, seed=1, rename="{}")
    slots = make_slots(made, np.random.default_rng([1, 0]), balanced=False)
    load = slot_loads(province_map(network), iter([slots]), SLOTS, 1, 4).percent
    edges = len(province_map(network).edges)
    busier = np.maximum(load[:edges], load[edges : 2 * edges])
    peak = int(np.argmax(load[: 2 * edges].sum(axis=0, dtype=np.int64)))

    def state() -> tuple[str, list[str], str]:
        hot = page.locator("#moment-lines .value").all_text_contents()
        return page.locator("#slot-label").inner_text(), hot, picture(page)

    assert page.locator("#slot").input_value() == str(peak)
    at_peak = state()
    assert at_peak[1][0] == f"{busier[:, peak].max()}%"
    page.locator("#slot").fill("12")
    early = state()
    assert "03:00" in early[0]
    assert early[1][0] == f"{busier[:, 12].max()}%"
    assert early[2] != at_peak[2]
    page.locator("#slot").press("ArrowRight")
    assert "03:15" in state()[0]
    page.click("#to-peak")
    assert state() == at_peak
    page.click("#map-carrier button[data-value='0']")
    assert state()[2] != at_peak[2]
    assert page.locator("#moment-note").inner_text().split()[2] == str(edges // 2 + 1)


def test_play_moves_on_and_stops(page: Page) -> None:
    page.locator("#slot").fill("0")
    page.click("#play")
    page.wait_for_function("() => Number(document.getElementById('slot').value) >= 2")
    page.click("#play")
    stopped = page.locator("#slot").input_value()
    page.wait_for_timeout(500)
    assert page.locator("#slot").input_value() == stopped


def test_brain_switch_changes_map_and_tables(page: Page) -> None:
    places = ("#moment-lines", "#station-table", "#pair-table")
    before = [page.locator(place).inner_text() for place in places]
    page.click("#station-brain button[data-value='1']")
    shown(page, brain=1)
    after = [page.locator(place).inner_text() for place in places]
    assert all(new != old for new, old in zip(after, before, strict=True))
    for group in ("map-brain", "station-brain", "pair-brain"):
        pressed = page.locator(f"#{group} [aria-pressed=true]")
        assert pressed.all_text_contents() == ["ecmp"]


def test_tail_of_each_mode_is_the_stored_one(page: Page, folder: Path) -> None:
    metrics = read_metrics(folder, "ecmp", read_network(folder))
    for mode, tail in {"all": metrics.tails.all, **metrics.tails.by_mode}.items():
        page.click(f"#tail-mode button[data-value={mode}]")
        drawn = np.array(option(page, "tail", "series.1.data"))
        np.testing.assert_allclose(drawn[:, 0], np.log10(tail.latency_ns), atol=1e-9)
        np.testing.assert_allclose(drawn[:, 1], np.log10(tail.share_above), atol=1e-5)


def test_tides_add_up(page: Page, folder: Path) -> None:
    metrics = read_metrics(folder, "ecmp", read_network(folder))
    top = option(page, "tide-count", "series.0.data")
    total = np.sum(list(metrics.tide.submitted.values()), axis=0)
    assert [value for _, value in top[::2]] == total.tolist()
    assert [value for _, value in top[1::2]] == total.tolist()


def test_whole_page_answers_the_keyboard(page: Page) -> None:
    assert page.evaluate("document.querySelector('a, button, input, [tabindex]').className") == "skip"
    page.focus(".skip")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#verdict"
    page.focus("[data-language=zh]")
    page.keyboard.press("Enter")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.focus("#map-brain button[data-value='1']")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.dataset.value") == "1"
    page.focus("#zoom-in")
    page.keyboard.press("Enter")
    zoomed = picture(page)
    page.click("#zoom-all")
    assert picture(page) != zoomed


def test_hostile_names_are_shown_and_harmless(opened: Open, tmp_path: Path) -> None:
    path = build(make_results(tmp_path, cities=1, counties=2, rename=HOSTILE))
    with opened(path) as page:
        assert page.locator("#title").inner_text() == HOSTILE.format("Jiangxi provincial data exchange")
        for chart in CHARTS:
            seen(page, chart)
            page.evaluate(
                """(id) => echarts.getInstanceByDom(document.getElementById(`chart-${id}`))
                    .dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex: 0 })""",
                chart,
            )
        shown(page)
        page.focus("#chart-map")
        page.keyboard.press("n")
        page.wait_for_selector("#chart-map .tip")
        assert HOSTILE.format("")[:40] in page.locator("#chart-map .tip").inner_text()
        page.click("[data-language=zh]")
        assert page.locator("img, object, iframe, embed").count() == 0
        assert page.evaluate("window.hacked") is None


def test_printing_is_light_and_comes_back(opened: Open, report: Path) -> None:
    with opened(report, color_scheme="dark") as page:
        screen = option(page, "tail", "series.0.lineStyle.color")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert option(page, "tail", "series.0.lineStyle.color") != screen
        assert len(page.pdf()) > 50_000
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert option(page, "tail", "series.0.lineStyle.color") == screen


def test_colours_follow_the_system(page: Page) -> None:
    light = option(page, "tail", "series.0.lineStyle.color")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => document.documentElement.dataset.scheme === 'dark'")
    assert option(page, "tail", "series.0.lineStyle.color") != light


def _silent(metrics: BrainMetrics) -> BrainMetrics:
    """The metrics of a run to which nothing was submitted."""
    stored = json.loads(metrics.model_dump_json())
    zero = {"submitted": 0, "delivered": 0, "in_flight": 0, "refused": 0}
    nothing = {
        name: 0 if name in ("count", "bytes", "deadline_total", "deadline_missed") else None
        for name in stored["completion"]["all"]
    }
    no_tail: dict[str, list[int]] = {"latency_ns": [], "share_above": []}
    modes = list(stored["tide"]["bytes"])
    slots = len(stored["tide"]["start_ns"])
    stored |= {
        "counts": zero,
        "bytes": zero,
        "refused_by_reason": {},
        "chunks": dict.fromkeys(stored["chunks"], 0),
        "completion": {"all": nothing, "by_mode": dict.fromkeys(modes, nothing), "by_class": {}},
        "tails": {"all": no_tail, "by_mode": dict.fromkeys(modes, no_tail)},
        "tide": {
            "start_ns": stored["tide"]["start_ns"],
            "submitted": dict.fromkeys(modes, [0] * slots),
            "bytes": dict.fromkeys(modes, [0] * slots),
            "delivered": [0] * slots,
        },
        "stations": [],
    }
    return BrainMetrics.model_validate(stored)


def test_what_befell_exchanges_on_the_way_is_told_in_both_languages(opened: Open, report: Path) -> None:
    metrics = read_metrics(report.parent, "ecmp", read_network(report.parent))
    worst = metrics.stations[0]
    with opened(report) as page:
        figures = page.locator("#chunk-table tbody tr").nth(1).locator("td").all_inner_texts()
        chunks = metrics.chunks
        expected = (chunks.retries, chunks.failed, chunks.retrying_peak, chunks.spilled, chunks.held_peak)
        assert figures == [f"{value:,}" for value in expected]
        page.click("#station-brain [data-value='1']")
        row = page.locator("#station-table tbody tr").nth(0).locator("td").all_inner_texts()
        assert row[-2:] == [f"{worst.spilled:,}", f"{worst.failed:,}"]
        assert "given up after the last retry" in page.locator("#refusals").inner_text()
        page.click("[data-language=zh]")
        told = page.locator("#ledger").inner_text()
        for words in ("末次重试失败后放弃", "方案中该节点对没有路由", "途中经过", "溢写", "暂缓发出"):
            assert words in told


def test_run_without_exchanges_says_so(opened: Open, tmp_path: Path) -> None:
    folder = make_results(tmp_path, cities=1, counties=1)
    network = read_network(folder)
    nothing = np.zeros(0, dtype=np.int64)
    for brain in ("shortest-path", "ecmp"):
        write_metrics(folder, _silent(read_metrics(folder, brain, network)))
        kinds = (field.type.to_pandas_dtype() for field in STATIONS_SCHEMA)
        write_station_slots(folder, brain, [StationSlots(*(nothing.astype(kind) for kind in kinds))])
        write_pairs(folder, brain, PairTable([], [], *[nothing] * 10))
    with opened(build(folder)) as page:
        shown(page)
        body = page.locator("body").inner_text()
        assert "No line carries anything" in body
        assert "Nothing was refused" in body
        assert "NaN" not in body
        assert "undefined" not in body
        page.click("[data-language=zh]")
        assert "NaN" not in page.locator("body").inner_text()


def test_one_brain_alone_needs_no_rival(opened: Open, tmp_path: Path) -> None:
    folder = make_results(tmp_path, cities=1, counties=1)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(run | {"brains": ["ecmp"]}), encoding="utf-8")
    with opened(build(folder)) as page:
        assert page.locator(".card").count() == 1
        assert page.locator("td.best").count() == 0
        assert "Half of all exchanges" in page.locator("#findings").inner_text()
