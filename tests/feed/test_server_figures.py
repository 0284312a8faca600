"""Figures have one name everywhere: in the simulator, at the door, in Prometheus and on the dashboard."""

from __future__ import annotations

import dataclasses
import re

from feed_server import NOW_NS
from prometheus_client.parser import text_string_to_metric_families

from feed.server import dashboard, figures
from feed.server.metrics_out import TRUST_LEVELS, ServerMetrics
from sim.results import StationSlots
from sim.series import Series
from strategies.decision import Trust


def test_names_are_the_simulators_columns() -> None:
    there = {f"stations.{field.name}" for field in dataclasses.fields(StationSlots)}
    there |= {f"series.{field.name}" for field in dataclasses.fields(Series)}
    taken = {figure.column: figure for figure in figures.FIGURES if figure.column is not None}
    assert taken.keys() <= there
    for column, figure in taken.items():
        room, name = column.split(".")
        assert figure.name == f"{room.removesuffix('s').replace('serie', 'series')}_{name}"
    # Each column of a station is brought by telemetry, or is said not to be.
    stations = {column for column in there if column.startswith("stations.")}
    assert stations == {column for column in taken if column.startswith("stations.")} | set(figures.NOT_MEASURED)
    assert not taken.keys() & figures.NOT_MEASURED.keys()


def test_every_figure_goes_out_under_its_name_and_no_other() -> None:
    metrics = ServerMetrics(("a", "b"), lambda: NOW_NS)
    text = metrics.text().decode()
    assert {family.name for family in text_string_to_metric_families(text) if not family.name.endswith("_created")} == {
        figure.metric for figure in figures.FIGURES
    }
    for figure in figures.FIGURES:
        assert f"# HELP {figure.metric}" in text
        assert re.search("[\u4e00-\u9fff]", figure.zh)


def test_trust_levels_are_the_brains() -> None:
    assert {trust.name.lower(): int(trust) for trust in Trust} == TRUST_LEVELS


def test_the_dashboard_is_current() -> None:
    remedy = "remake it with `python -m feed.server.dashboard`"
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.text(), remedy


def test_the_dashboard_has_a_panel_for_every_figure() -> None:
    panels = dashboard.dashboard()["panels"]
    asked = " ".join(panel["targets"][0]["expr"] for panel in panels)
    assert all(figure.metric in asked for figure in figures.FIGURES)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
