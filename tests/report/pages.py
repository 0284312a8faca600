"""What tests ask of an open page."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from playwright.sync_api import Page

Open = Callable[..., AbstractContextManager[Page]]


def colours(page: Page, chart: str) -> int:
    """Count the distinct colours on a chart's canvases: a blank one has 1."""
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
    script = """([id, path]) => {
        const chart = echarts.getInstanceByDom(document.getElementById(`chart-${id}`));
        return path.split(".").reduce((value, key) => value[key], chart.getOption());
    }"""
    return page.evaluate(script, [chart, path])
