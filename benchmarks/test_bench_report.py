"""The report of a day: how large it is, how soon it opens, and how fluid the map is while the slider moves.

Goals, of a province's day of 5 M exchanges under two brains: at most 8 MB; open, with the map drawn, within 2 s; and at
least 30 frames a second while the slider goes through the day, each frame with the map painted anew. Chromium is
headless and paints in software.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import headless_chromium
from playwright.sync_api import Browser, Page
from pytest_benchmark.fixture import BenchmarkFixture

from sim.report import build
from sim.result_folder import read_metrics, read_network

DAY, HISTORY, SMALL = 5_000_000, 200_000, 20_000
BYTES_MAX, OPENS_S_MAX, FRAMES_MIN = 8_000_000, 2.0, 30.0
DRAWN = "#chart-map[data-drawn]"
# One step of the slider a frame; a frame counts when the next one begins, so what was painted is in it.
SLIDE = """async (zoom) => {
    const slider = document.getElementById("slot");
    const frame = () => new Promise(requestAnimationFrame);
    document.getElementById("chart-map").scrollIntoView({ behavior: "instant" });
    for (let turn = 0; turn < zoom; turn += 1) document.getElementById("zoom-in").click();
    for (let turn = 0; turn < 20; turn += 1) await frame();
    const canvas = document.querySelector("#chart-map canvas");
    const pictures = new Set();
    const steps = Number(slider.max) + 1;
    const begun = await frame();
    let now = begun;
    for (let step = 0; step < steps; step += 1) {
        slider.value = step;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        now = await frame();
    }
    const seconds = (now - begun) / 1000;
    for (const step of [0, Math.floor(steps / 2)]) {
        slider.value = step;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await frame(); await frame();
        pictures.add(canvas.toDataURL());
    }
    return { frames: steps, seconds, pictures: pictures.size };
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless_chromium() as browser:
        yield browser


def exchange_router(*words: str) -> None:
    program = [sys.executable, "-c", "from exchange_router.main import run; run()", *words]
    subprocess.run(program, check=True, capture_output=True)


def drawn(scenario: str, exchanges_per_day: int, start: str, days: int, seed: int, place: Path) -> Path:
    span = ("--start", start, "--days", str(days), "--seed", str(seed))
    of = ("--scenario", scenario, "--exchanges-per-day", str(exchanges_per_day))
    exchange_router("trace", "generate", *of, *span, "--out", str(place))
    return place


def submitted(run: Path) -> int:
    return read_metrics(run, "ecmp", read_network(run)).counts.submitted


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("small")
    day = drawn("toy", SMALL, "2026-03-17", 1, 1, place / "day.parquet")
    brains = ("--brain", "shortest-path", "--brain", "ecmp")
    exchange_router("replay", "--scenario", "toy", "--trace", str(day), *brains, "--out", str(place / "run"))
    return place / "run"


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day under `ecmp` and `static`, the latter prepared from the week before."""
    place = tmp_path_factory.mktemp("province")
    past = drawn("jiangxi", HISTORY, "2026-03-09", 7, 5, place / "past.parquet")
    day = drawn("jiangxi", DAY, "2026-03-17", 1, 1, place / "day.parquet")
    brain, run = str(place / "week.brain"), place / "run"
    exchange_router("brain", "fit", "--trace", str(past), "--out", brain)
    brains = ("--brain", "ecmp", "--brain", "static", "--prepared", brain)
    exchange_router("replay", "--trace", str(day), *brains, "--out", str(run))
    assert abs(submitted(run) - DAY) < 0.02 * DAY
    return run


def opened(chromium: Browser, path: Path) -> tuple[Page, float]:
    """Open a report in a new window, and say after how many seconds its map was drawn."""
    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    begun = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector(DRAWN)
    return page, time.perf_counter() - begun


def slide(chromium: Browser, path: Path, zoom: int) -> float:
    """Return the frames a second of a slide through the day."""
    page, _ = opened(chromium, path)
    try:
        found: dict[str, Any] = page.evaluate(SLIDE, zoom)
    finally:
        page.context.close()
    assert found["pictures"] == 2, "another moment must be another picture"
    return float(found["frames"] / found["seconds"])


def opening_s(chromium: Browser, path: Path) -> float:
    page, seconds = opened(chromium, path)
    assert page.locator("#cards .card").count() == 2
    page.context.close()
    return seconds


def test_report_small(benchmark: BenchmarkFixture, chromium: Browser, small: Path) -> None:
    path = benchmark.pedantic(build, (small,), rounds=1)
    benchmark.extra_info |= {"bytes": path.stat().st_size, "opens_s": opening_s(chromium, path)}
    assert path.stat().st_size < BYTES_MAX
    assert slide(chromium, path, 0) > 0


@pytest.mark.heavy
def test_report_bytes(benchmark: BenchmarkFixture, province: Path) -> None:
    path = benchmark.pedantic(build, (province,), rounds=3)
    size = path.stat().st_size
    benchmark.extra_info |= {"goal": "report.bytes", "value": size, "target": BYTES_MAX}
    assert size <= BYTES_MAX


@pytest.mark.heavy
def test_report_opens(benchmark: BenchmarkFixture, chromium: Browser, province: Path) -> None:
    path = build(province)
    seconds: list[float] = []
    benchmark.pedantic(lambda: seconds.append(opening_s(chromium, path)), rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {"goal": "report.opens", "value": statistics.median(seconds), "target": OPENS_S_MAX}


@pytest.mark.heavy
def test_report_slider(benchmark: BenchmarkFixture, chromium: Browser, province: Path) -> None:
    """The whole province, then close by, where single nodes and their lines are drawn too; the slower counts."""
    path = build(province)
    frames: dict[int, list[float]] = {0: [], 4: []}

    def both() -> None:
        for zoom, found in frames.items():
            found.append(slide(chromium, path, zoom))

    benchmark.pedantic(both, rounds=3)
    whole, near = (statistics.median(found) for found in frames.values())
    benchmark.extra_info |= {
        "goal": "report.slider",
        "value": min(whole, near),
        "target": FRAMES_MIN,
        "whole": whole,
        "near": near,
    }
