"""The page of a study: its blocks, as stored, and what every page has around them, in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sim.report.assembly import REPORT_FILE, write_page
from sim.report.blocks import Page


def write_study_page(folder: Path, page: Page, provenance: dict[str, Any]) -> Path:
    """Write the page of a study into its folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Must exist.
    page : Page
    provenance : dict
        Where it comes from (`exchange_router.provenance`), and `seeds` if there are several. The page names what it
        knows of it; what else is there is shown under its own key.

    Returns
    -------
    Path
        The page: one HTML file that fetches nothing. The same page and provenance give the same bytes.
    """
    path = folder / REPORT_FILE
    write_page(path, "study", study_facts(page, provenance))
    return path


def study_facts(page: Page, provenance: dict[str, Any]) -> dict[str, Any]:
    """Return what the scripts of the page read."""
    english, chinese = (f"{title} · {where}" for title, where in zip(page.title, page.scenario, strict=True))
    run = {"scenario": {"title_en": english, "title_zh": chinese}, "provenance": provenance}
    return {"run": run, "page": page.model_dump(mode="json")}
