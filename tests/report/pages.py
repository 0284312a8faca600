"""What tests ask of an open page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from playwright.sync_api import Page

Open = Callable[..., AbstractContextManager[Page]]


def seen(page: Page, chart: str) -> None:
    """Bring a chart into view and wait until it is drawn as things are now."""
    page.locator(f"#chart-{chart}").evaluate("(node) => node.scrollIntoView({ block: 'center', behavior: 'instant' })")
    page.locator(f"#chart-{chart} canvas").first.wait_for()
    page.locator(f"#chart-{chart}:not([aria-busy])").wait_for()


def all_drawn(page: Page) -> None:
    """Wait until every chart of the page is drawn, wherever the window is."""
    page.wait_for_function(
        "() => [...document.querySelectorAll('[id^=chart-]')]"
        ".every((node) => node.clientWidth === 0 || node.querySelector('canvas'))"
    )


def colours(page: Page, chart: str) -> int:
    """Count the distinct colours on a chart's canvases: a blank one has 1."""
    seen(page, chart)
    script = """(id) => {
        const seen = new Set();
        for (const canvas of document.querySelectorAll(`#chart-${id} canvas`)) {
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            for (let at = 0; at < data.length; at += 4) {
                seen.add((data[at] << 24) | (data[at + 1] << 16) | (data[at + 2] << 8) | data[at + 3]);
            }
        }
        return seen.size;
    }"""
    return int(page.evaluate(script, chart))


def option(page: Page, chart: str, path: str) -> Any:
    """Read from the options of a chart as it stands."""
    seen(page, chart)
    script = """([id, path]) => {
        const chart = echarts.getInstanceByDom(document.getElementById(`chart-${id}`));
        return path.split(".").reduce((value, key) => value[key], chart.getOption());
    }"""
    return page.evaluate(script, [chart, path])


def shown(page: Page, layer: str = "load", brain: int = 0) -> None:
    """Wait until the map shows a layer of a brain; its tables are unpacked in their own time."""
    page.wait_for_selector(f"#chart-map[data-drawn='{layer} {brain}']")
    painted(page)


def painted(page: Page) -> None:
    """Wait until what was asked for has been painted."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def picture(page: Page) -> str:
    """Return what the map's canvases show while the pointer is elsewhere."""
    page.mouse.move(5, 5)
    painted(page)
    return str(
        page.evaluate("[...document.querySelectorAll('#chart-map canvas')].map((one) => one.toDataURL()).join()")
    )
