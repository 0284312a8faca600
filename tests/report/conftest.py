"""A headless Chromium, and reports opened in it offline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import headless_chromium
from pages import Open
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(chromium: Browser) -> Open:
    """Open a report offline; on leaving, nothing but the file may have been asked for, and nothing logged."""

    @contextmanager
    def open_page(path: Path, **options: Any) -> Iterator[Page]:
        options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **options}
        context = chromium.new_context(offline=True, **options)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: said.append(f"request: {request.url}"))
        try:
            page.goto(path.as_uri())
            yield page
            page.wait_for_timeout(50)
            assert said == [f"request: {path.as_uri()}"]
        finally:
            context.close()

    return open_page
