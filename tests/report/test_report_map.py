"""The report's map, its layers and its shared time; tables that sort; what is seen by whom."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_results import BRAINS, SLOTS, make_network, make_results, make_slots
from pages import Open, option, painted, picture, seen, shown
from playwright.sync_api import Page

from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, Exchanges
from router_core.units import DAY_NS
from sim.mode_table import mode_table, write_modes
from sim.report import build
from sim.report.province_map import province_map
from sim.report.slot_loads import slot_loads
from sim.result_folder import read_metrics, read_network

pytestmark = pytest.mark.browser


def write_asked(folder: Path, seed: int = 5) -> None:
    """Give a made folder the modes of some drawn exchanges."""
    network = read_network(folder)
    ends = np.flatnonzero(np.array(network.nodes.kind) == "front_end")
    rng = np.random.default_rng(seed)
    columns = {name: np.zeros(4000, dtype=np.int8) for name in FIELDS}
    columns |= {
        "submitted_ns": np.sort(rng.integers(0, DAY_NS, 4000)),
        "source": rng.choice(ends, 4000).astype(np.int32),
        "target": rng.choice(ends, 4000).astype(np.int32),
        "payload_bytes": rng.integers(1, 10**6, 4000),
        "mode": rng.integers(0, 4, 4000).astype(np.int8),
        "priority": rng.integers(0, 2, 4000).astype(np.int8),
    }
    for brain in BRAINS:
        write_modes(folder, brain, mode_table(Exchanges(**columns), len(network.nodes.name)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_results(tmp_path_factory.mktemp("map") / "out", cities=3, counties=2)
    write_asked(path)
    return path


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another run of the same network: its days are drawn with another seed."""
    path = tmp_path_factory.mktemp("other") / "night"
    make_results(path, cities=3, counties=2, seed=1)
    slots = make_slots(make_network(3, 2, 1, "{}"), np.random.default_rng([77, 0]), balanced=True)
    from sim.result_folder import write_station_slots  # noqa: PLC0415 - beside its only use

    write_station_slots(path, "ecmp", [slots])
    return path


@pytest.fixture(scope="module")
def kept_page(opened: Open, folder: Path, other: Path) -> Iterator[Page]:
    with opened(build(folder, other), reduced_motion="reduce") as page:
        shown(page)
        yield page


@pytest.fixture
def page(kept_page: Page) -> Page:
    for button in ("[data-language=en]", "[data-scheme-choice=light]", "#map-brain [data-value='0']"):
        kept_page.click(button)
    for button in ("#map-layer [data-value=load]", "#map-carrier [data-value=all]", "#zoom-all", "#to-peak"):
        kept_page.click(button)
    shown(kept_page)
    kept_page.focus("#chart-map")
    kept_page.keyboard.press("Escape")
    return kept_page


def loads_of(folder: Path, brain: str) -> tuple[np.ndarray, int]:
    from sim.result_folder import read_station_slots  # noqa: PLC0415 - beside its only use

    network = read_network(folder)
    province = province_map(network)
    parts = read_station_slots(folder, brain, SLOTS, len(network.stations.name))
    return slot_loads(province, parts, SLOTS, 1, 4).percent, len(province.edges)


def values_of(page: Page) -> list[str]:
    painted(page)
    return page.locator("#moment-lines .value").all_text_contents()


def step_of(page: Page) -> int:
    return int(page.locator("#slot").input_value())


def test_zoom_and_pan_change_the_view_and_come_back(page: Page) -> None:
    whole = picture(page)
    for zoomed in (lambda: page.click("#zoom-in"), lambda: page.keyboard.press("+")):
        page.focus("#chart-map")
        zoomed()
        near = picture(page)
        assert near != whole
        page.focus("#chart-map")
        page.keyboard.press("ArrowLeft")
        assert picture(page) not in (near, whole)
        page.keyboard.press("0")
        assert picture(page) == whole
    seen(page, "map")
    box = page.locator("#chart-map").bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.wheel(0, -300)  # with the focus on the map the wheel zooms
    near = picture(page)
    assert near != whole
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 230, steps=3)
    page.mouse.up()
    assert picture(page) != near
    page.keyboard.press("0")
    page.mouse.move(5, 5)
    assert picture(page) == whole


def test_page_scrolls_past_a_map_without_focus(page: Page) -> None:
    seen(page, "map")
    whole = picture(page)
    page.evaluate("document.getElementById('slot').focus({ preventScroll: true })")
    box = page.locator("#chart-map").bounding_box()
    assert box
    spot = (box["x"] + 200, box["y"] + 300)
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('#chart-map') !== null", spot)
    page.mouse.move(*spot)
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 120)
    page.wait_for_function("(before) => scrollY > before", arg=before)
    page.mouse.move(5, 5)
    assert picture(page) == whole


def test_two_fingers_zoom(page: Page) -> None:
    before = picture(page)
    page.locator("#chart-map").evaluate("""(host) => {
        const { left, top } = host.getBoundingClientRect();
        const send = (type, id, x, y) => host.dispatchEvent(new PointerEvent(type, {
            pointerId: id, pointerType: "touch", clientX: left + x, clientY: top + y, bubbles: true }));
        host.setPointerCapture = () => {};
        send("pointerdown", 1, 150, 200); send("pointerdown", 2, 250, 200);
        send("pointermove", 2, 300, 200); send("pointermove", 1, 100, 200);
        send("pointerup", 1, 100, 200); send("pointerup", 2, 300, 200);
    }""")
    assert picture(page) != before


def test_single_nodes_appear_close_by_and_are_named(page: Page) -> None:
    page.focus("#chart-map")
    heard: set[str] = set()
    page.keyboard.press("n")  # what the view goes nearer to
    for _ in range(7):
        page.keyboard.press("+")
    for _ in range(60):
        page.keyboard.press("n")
        heard.add(page.locator("#chart-map [aria-live]").inner_text())
    assert any("/fe" in text or "/r" in text for text in heard)


def test_keyboard_goes_over_items_and_says_their_values(page: Page, folder: Path) -> None:
    percent, edges = loads_of(folder, BRAINS[0])
    page.focus("#chart-map")
    page.keyboard.press("n")
    said = page.locator("#chart-map [aria-live]").inner_text()
    busiest = percent[2 * edges : 2 * edges + len(province_map(read_network(folder)).sites), step_of(page)].max()
    assert f"{busiest}%" in said
    page.keyboard.press("Enter")
    assert page.locator("#map-said").inner_text() == said
    painted(page)
    assert page.locator("#chart-map .map-tip").is_visible()
    page.keyboard.press("p")
    assert page.locator("#chart-map [aria-live]").inner_text() != said
    page.keyboard.press("Escape")
    painted(page)
    assert not page.locator("#chart-map .map-tip").is_visible()


def test_list_pins_on_the_map_what_it_names(page: Page) -> None:
    page.locator("#moment-lines button").first.click()
    name = page.locator("#moment-lines button span").first.inner_text().split(" → ")
    tip = page.locator("#chart-map .map-tip")
    tip.wait_for()
    assert all(part.strip() in tip.inner_text() for part in name)
    assert "Mbit/s" in tip.inner_text()
    # Once more lets it go.
    page.locator("#moment-lines button").first.click()
    painted(page)
    assert not tip.is_visible()


def test_pointer_finds_what_is_under_it_and_pins_it(page: Page) -> None:
    seen(page, "map")
    page.focus("#chart-map")
    page.keyboard.press("n")
    painted(page)
    name = page.locator("#chart-map .map-tip b").inner_text()
    # The tip stands beside the focused site; the ring around it is found by its colour.
    spot = page.locator("#chart-map").evaluate("""(host) => {
        const canvas = host.querySelector(".map-over");
        const { width, height } = canvas;
        const probe = document.createElement("canvas").getContext("2d");
        probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--focus");
        probe.fillRect(0, 0, 1, 1);
        const tone = probe.getImageData(0, 0, 1, 1).data;
        const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        let [x, y, some] = [0, 0, 0];
        for (let at = 0; at < data.length; at += 4) {
            if ([0, 1, 2].every((of) => Math.abs(data[at + of] - tone[of]) < 6) && data[at + 3] > 200) {
                x += at / 4 % width; y += Math.floor(at / 4 / width); some += 1;
            }
        }
        return [x / some, y / some];
    }""")
    page.keyboard.press("Escape")
    page.locator("#slot").focus()
    tip = page.locator("#chart-map .map-tip")
    page.locator("#chart-map").hover(position={"x": spot[0], "y": spot[1]})
    painted(page)
    assert tip.locator("b").inner_text() == name
    page.locator("#chart-map").click(position={"x": spot[0], "y": spot[1]})
    page.mouse.move(5, 5)
    painted(page)
    assert tip.is_visible()
    assert name in page.locator("#map-said").inner_text()


def test_layers_show_load_queue_share_and_change(page: Page, folder: Path, other: Path) -> None:
    percent, edges = loads_of(folder, BRAINS[0])
    step = step_of(page)
    pictures = {"load": picture(page)}
    assert values_of(page)[0] == f"{percent[: 2 * edges, step].max()}%"
    for layer in ("queue", "share", "change"):
        page.click(f"#map-layer [data-value={layer}]")
        shown(page, layer)
        pictures[layer] = picture(page)
        assert page.locator("#map-layer-note").inner_text()
    assert len(set(pictures.values())) == 4
    # The change against the other brain, then against the same one of the other run.
    for rival, where, name in ((1, folder, BRAINS[1]), (3, other, BRAINS[1])):
        page.click(f"#map-rival [data-value='{rival}']")
        shown(page, "change")
        theirs, _ = loads_of(where, name)
        change = percent[: 2 * edges, step].astype(int) - theirs[: 2 * edges, step]
        text = values_of(page)[0].replace("−", "-").removesuffix(" points")
        assert abs(int(text)) == np.abs(change).max()
        assert int(text) in change
    assert page.locator("#against-table tbody tr").count() == 4


def test_queue_of_the_list_is_the_stored_one(page: Page, folder: Path) -> None:
    network = read_network(folder)
    slots = make_slots(make_network(3, 2, 1, "{}"), np.random.default_rng([1, 0]), balanced=False)
    rows = province_map(network).station_row
    waiting = np.zeros((rows.max() + 1, SLOTS), dtype=np.int64)
    np.add.at(waiting, (rows[slots.station], slots.slot), slots.waiting)
    page.click("#map-layer [data-value=queue]")
    shown(page, "queue")
    worst = int(waiting[:, step_of(page)].max())
    assert worst > 0
    assert float(values_of(page)[0].replace(",", "")) == pytest.approx(worst, rel=0.03, abs=0.6)


def test_shares_of_modes_make_a_whole(page: Page) -> None:
    page.click("#map-layer [data-value=share]")
    shown(page, "share")
    whole: dict[str, int] = {}
    choices = page.locator("#map-asked button").evaluate_all("(some) => some.map((one) => one.dataset.value)")
    assert [one.split("/")[0] for one in choices] == ["modes"] * 4 + ["classes"] * 2
    for kind in ("modes", "classes"):
        whole.clear()
        for value in (one for one in choices if one.startswith(kind)):
            page.click(f"#map-asked [data-value='{value}']")
            shown(page, "share")
            painted(page)
            names = page.locator("#moment-lines button span:first-child").all_text_contents()
            for name, text in zip(names, values_of(page), strict=True):
                whole[name] = whole.get(name, 0) + int(text.rstrip("%"))
        assert whole
        assert all(97 <= total <= 103 for total in whole.values())


def test_one_time_for_slider_map_and_charts(page: Page) -> None:
    for chart in ("tide-count", "queues", "strip"):
        seen(page, chart)
        box = page.locator(f"#chart-{chart} canvas").first.bounding_box()
        assert box
        page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * min(box["height"], 200))
        chosen = step_of(page)
        mark = page.locator(f"#chart-{chart} .now").first.bounding_box()
        assert mark
        page.locator("#slot").fill(str(chosen + 10))
        moved = page.locator(f"#chart-{chart} .now").first.bounding_box()
        assert moved
        assert moved["x"] > mark["x"]
    assert page.locator("#chart-queues .now").count() >= 2


def test_other_network_or_slots_are_refused_by_name(folder: Path, other: Path, tmp_path: Path) -> None:
    before = build(folder).read_bytes()
    smaller = make_results(tmp_path / "small", cities=2, counties=2)
    with pytest.raises(BadInputError, match=r"network\.json: nodes\.name") as caught:
        build(folder, smaller)
    assert "\n" not in str(caught.value)
    coarse = Path(shutil.copytree(other, tmp_path / "coarse"))
    run = json.loads((coarse / "run.json").read_text(encoding="utf-8"))
    (coarse / "run.json").write_text(json.dumps(run | {"slot_ns": run["slot_ns"] * 2}), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"run\.json: slot_ns"):
        build(folder, coarse)
    assert (folder / "report.html").read_bytes() == before


def test_older_folder_has_no_layer_of_modes(opened: Open, tmp_path: Path) -> None:
    with opened(build(make_results(tmp_path, cities=1, counties=1))) as page:
        shown(page)
        layers = page.locator("#map-layer button").evaluate_all("(some) => some.map((one) => one.dataset.value)")
        assert layers == ["load", "queue", "change"]
        assert not page.locator("#against").is_visible()


def numbers(page: Page, table: str, column: int) -> list[str]:
    return page.locator(f"#{table} tbody tr > :nth-child({column + 1})").all_inner_texts()


def test_tables_sort_by_value_and_back(page: Page, folder: Path) -> None:
    metrics = read_metrics(folder, BRAINS[0], read_network(folder))
    served = [f"{row.served:,}" for row in metrics.stations]
    down = [f"{value:,}" for value in sorted((row.served for row in metrics.stations), reverse=True)]
    assert numbers(page, "station-table", 4) == served
    head = page.locator("#station-table th").nth(4)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers(page, "station-table", 4) == down
    page.click("[data-language=zh]")
    assert numbers(page, "station-table", 4) == down, "an order outlives a change of language"
    page.click("[data-language=en]")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers(page, "station-table", 4) == down[::-1]
    assert page.evaluate("document.activeElement.closest('th').cellIndex") == 4
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "none"
    assert numbers(page, "station-table", 4) == served


def test_shares_sort_by_size_and_not_by_their_digits(page: Page, folder: Path) -> None:
    metrics = read_metrics(folder, BRAINS[0], read_network(folder))
    head = page.locator("#station-table th").nth(2)
    head.locator("button").click()
    names = [row.served for row in sorted(metrics.stations, key=lambda row: -row.mean_utilisation)]
    assert numbers(page, "station-table", 4) == [f"{value:,}" for value in names]
    for _ in range(2):
        head.locator("button").click()
    assert head.get_attribute("aria-sort") == "none"


def test_times_sort_by_length_and_groups_keep_their_names(page: Page) -> None:
    page.locator("#tails summary").click()
    head = page.locator("#completion-table th").nth(4)
    head.locator("button").click()
    rows = page.locator("#completion-table tbody tr")
    shown_names = [name for name in rows.locator("th").all_inner_texts() if name]
    assert len(shown_names) == rows.count()
    units = {"ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6}
    times = [text.replace("\u00a0", " ").split(" ") for text in numbers(page, "completion-table", 4)]
    values = [float(value) * units[unit] for value, unit in times]
    assert values == sorted(values, reverse=True)
    page.locator("#completion-table th").nth(1).locator("button").click()
    brains = numbers(page, "completion-table", 1)
    assert brains == sorted(brains)
    # Within one brain the rows keep the order they had: all modes first.
    assert (
        rows.locator("th").all_inner_texts()[: len(brains) // 2]
        == rows.locator("th").all_inner_texts()[len(brains) // 2 :]
    )


def test_every_table_can_be_sorted(page: Page) -> None:
    bare = page.locator("table").evaluate_all(
        """(tables) => tables.filter((one) => one.closest(".tip") === null && one.tBodies[0].rows.length > 1
            && !one.querySelector("th[aria-sort]")).map((one) => one.getAttribute("aria-label"))"""
    )
    assert bare == []


def test_reader_chooses_light_or_dark(page: Page) -> None:
    light = picture(page)
    page.click("[data-scheme-choice=dark]")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    dark = picture(page)
    assert dark != light
    tail = option(page, "tail", "series.0.lineStyle.color")
    page.click("[data-scheme-choice=light]")
    assert picture(page) == light
    assert option(page, "tail", "series.0.lineStyle.color") != tail


def test_print_keeps_the_step_and_needs_no_hand(page: Page) -> None:
    page.click("[data-scheme-choice=dark]")
    page.locator("#slot").fill("31")
    screen = picture(page)
    said = page.locator("#slot-label").inner_text()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    paper = picture(page)
    assert paper != screen
    page.emulate_media(media="print")
    assert page.locator("#slot-label").inner_text() == said
    assert not page.locator("#zoom-in").is_visible()
    assert page.locator("#map-legend").is_visible()
    # Every chart is there, seen or not.
    blank = page.locator(".chart").evaluate_all(
        "(some) => some.filter((one) => one.offsetParent && !one.querySelector('canvas')).map((one) => one.id)"
    )
    assert blank == []
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert picture(page) == screen
