"""The log of decisions on the page: every decision is told in both languages, found, filtered and counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_log import make_log, write_log
from made_results import SLOT_NS, make_results
from pages import Open, colours, option
from playwright.sync_api import Page

from sim import decision_texts
from sim.decision_log import write_decisions
from sim.report import build
from sim.report.decision_facts import KINDS, REASONS, ROWS_MAX, decision_words, log_facts
from sim.report.facts import report_facts
from sim.result_folder import read_network
from strategies.decision import FIGURES, Decision, DecisionKind, Reason, Trust
from strategies.guard.verdict import Flaw, Stream

CHINESE = re.compile(r"[\u4e00-\u9fff]")
MORE = 3_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_results(tmp_path_factory.mktemp("log") / "out", cities=2, counties=1)
    write_log(folder, "ecmp", more=MORE)
    return folder


@pytest.fixture(scope="module")
def kept_page(opened: Open, folder: Path) -> Iterator[Page]:
    with opened(build(folder)) as page:
        yield page


@pytest.fixture
def page(kept_page: Page) -> Page:
    kept_page.click("[data-language=en]")
    kept_page.fill("#log-find", "")
    kept_page.click("#log-kinds [data-value=all]")
    if kept_page.locator("#log-since-all").is_visible():
        kept_page.click("#log-since-all")
    return kept_page


@pytest.mark.parametrize(
    ("words", "members"),
    [
        (decision_texts.KIND_WORDS, DecisionKind),
        (decision_texts.REASON_WORDS, Reason),
        (decision_texts.TRUST_WORDS, Trust),
        (decision_texts.FIGURE_WORDS, FIGURES),
        (decision_texts.STREAM_WORDS, Stream),
        (decision_texts.FLAW_WORDS, Flaw),
    ],
    ids=["kinds", "reasons", "trust", "figures", "streams", "flaws"],
)
def test_everything_that_a_decision_can_say_has_words_in_both_languages(words, members) -> None:
    assert set(words) == set(members)
    for member, pair in words.items():
        assert pair.en, member
        assert not CHINESE.search(pair.en), member
        assert CHINESE.search(pair.zh), member
    for one in zip(*words.values(), strict=True):
        assert len(set(one)) == len(one)


def test_figures_are_written_in_their_units() -> None:
    forms = {"s": {"duration"}, "B": {"bytes"}, "1/s": {"per_second"}, "B/s": {"bytes_per_second"}}
    for name, unit in FIGURES.items():
        assert decision_texts.form_of(name) in forms.get(unit, {"share", "number", "times"}), name
    assert set(decision_texts.COSTS) <= set(FIGURES)


def test_facts_count_all_decisions_in_their_steps(folder: Path) -> None:
    decisions = make_log(folder, more=MORE)
    log = report_facts(folder)["brains"][1]["log"]
    assert log["count"] == len(log["rows"]) == len(decisions)
    wanted = Counter((one.now_ns // SLOT_NS // log["slots_per_step"], KINDS.index(one.kind)) for one in decisions)
    assert {(step, kind): count for step, kind, count in log["steps"]} == wanted
    for row, one in zip(log["rows"], decisions, strict=True):
        assert (KINDS[row[2]], REASONS[row[3]], row[0]) == (one.kind, one.reason, one.now_ns // 1_000)
        assert len(row[4]) == len(one.subject)


def test_a_long_log_lists_rare_kinds_wholly_and_stays_within_its_room(folder: Path) -> None:
    def one(kind: DecisionKind, second: int) -> Decision:
        return Decision(second * 10**9, 0, kind, Reason.SURGE)

    count = 3 * ROWS_MAX
    decisions = [
        one(DecisionKind.ROUTES_CHANGED if second % 3 else DecisionKind.ALERT, second) for second in range(count)
    ]
    decisions += [one(DecisionKind.SURGE_FOUND, count)] * 7
    log = log_facts(decisions, read_network(folder), lambda station: [], {}, 20 * 10**9, 3_000)
    assert log is not None
    listed = Counter(KINDS[row[2]] for row in log["rows"])
    assert listed[DecisionKind.SURGE_FOUND] == 7
    assert ROWS_MAX - 2 <= sum(listed.values()) <= ROWS_MAX
    times = np.array([row[0] for row in log["rows"] if KINDS[row[2]] == DecisionKind.ALERT])
    assert np.diff(times).max() <= 2 * np.diff(times).min()
    assert log["slots_per_step"] == 3
    assert {step for step, *_ in log["steps"]} == set(range(count // 60 + 1))
    assert log["count"] == count + 7 == sum(some for *_, some in log["steps"])


def test_no_log_no_section(opened: Open, tmp_path: Path) -> None:
    folder = make_results(tmp_path, cities=1, counties=1)
    facts = report_facts(folder)
    assert facts["decision_words"] is None
    with opened(build(folder)) as page:
        assert page.locator("#decisions").is_hidden()
        assert "#decisions" not in page.locator("#contents").inner_html()


def test_the_page_is_remade_to_the_byte(folder: Path) -> None:
    assert build(folder).read_bytes() == build(folder).read_bytes()
    assert json.dumps(report_facts(folder)) == json.dumps(report_facts(folder))


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_log_is_drawn_at_every_width(opened: Open, folder: Path, width: int) -> None:
    with opened(build(folder), viewport={"width": width, "height": 900}) as page:
        assert colours(page, "decisions") > 20
        assert len(option(page, "decisions", "series")) == 2 + len(DecisionKind)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#log-table tbody tr").count() == 25


@pytest.mark.browser
def test_every_decision_reads_as_a_sentence_in_both_languages(page: Page, folder: Path) -> None:
    words = decision_words()
    surge = next(one for one in make_log(folder, more=MORE) if one.kind == DecisionKind.SURGE_FOUND)
    page.click(f"#log-kinds [data-value='{KINDS.index(DecisionKind.SURGE_FOUND)}']")
    row = page.locator("#log-table tbody tr").first.inner_text()
    assert "Surge found: there is more demand than any forecast said" in row
    assert surge.subject[0] in row
    for figure in ("4.2 times", "18.3/s", "2.17\u00a0min", "08:54:00"):
        assert figure in row
    page.click("#log-kinds [data-value=all]")
    page.click("[data-language=zh]")
    page.fill("#log-find", "遥测")
    shown = page.locator("#decisions").inner_text()
    assert "更换决策依据：遥测缺失" in shown
    assert "测试粒子\n→ 最后可用方案" in shown
    assert "时钟倒退" in shown
    assert "undefined" not in shown
    assert "NaN" not in shown
    english = [pair[0] for pair in words["kinds"] + words["reasons"]]
    assert [text for text in english if text in shown] == []


@pytest.mark.browser
def test_an_alert_that_ends_is_told_as_such_and_homes_of_a_group_by_their_labels(page: Page, folder: Path) -> None:
    nodes = read_network(folder).nodes
    page.fill("#log-find", "alert over: a station")
    assert "Alert over: a station has room to spare" in page.locator("#log-table").inner_text()
    page.click("[data-language=zh]")
    page.fill("#log-find", f"{nodes.label_zh[0]} + {nodes.label_zh[1]}")
    assert page.locator("#log-table tbody tr").count() == 1


@pytest.mark.browser
def test_the_table_is_filtered_and_paged(page: Page, folder: Path) -> None:
    decisions = make_log(folder, more=MORE)
    place = page.locator("#log-place")
    assert place.inner_text() == f"1–25 of {len(decisions):,}"
    page.click("#log-after")
    assert place.inner_text() == f"26–50 of {len(decisions):,}"
    alerts = [one for one in decisions if one.kind == DecisionKind.ALERT]
    page.click(f"#log-kinds [data-value='{KINDS.index(DecisionKind.ALERT)}']")
    assert place.inner_text() == f"1–{len(alerts)} of {len(alerts)}"
    assert page.locator("#log-after").is_disabled()
    page.fill("#log-find", "NO MORE servers")
    empty = [one for one in alerts if one.reason == Reason.POOL_EMPTY]
    assert page.locator("#log-table tbody tr").count() == len(empty)
    page.fill("#log-find", "nowhere at all")
    assert page.locator("#log-table").inner_text() == "No decision of this kind."


@pytest.mark.browser
def test_a_mark_leads_to_its_decisions(page: Page, folder: Path) -> None:
    kind = KINDS.index(DecisionKind.STATIONS_LOST)
    x, y = page.evaluate(
        """(kind) => {
            const chart = echarts.getInstanceByDom(document.getElementById("chart-decisions"));
            const series = chart.getOption().series.findIndex((one) => one.data[0].kind === kind);
            return chart.convertToPixel({ seriesIndex: series }, chart.getOption().series[series].data[0].value);
        }""",
        kind,
    )
    page.locator("#chart-decisions").click(position={"x": x, "y": y})
    lost = [one for one in make_log(folder, more=MORE) if one.kind == DecisionKind.STATIONS_LOST]
    assert page.locator("#log-since").inner_text() == "From 10:00 on"
    assert page.locator("#log-place").inner_text() == f"1–{len(lost)} of {len(lost)}"


@pytest.mark.browser
def test_hostile_names_in_a_log_are_text(opened: Open, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror='window.hacked = 1'>"
    folder = make_results(tmp_path, cities=1, counties=1)
    write_decisions(folder, "ecmp", [Decision(5, 0, DecisionKind.ALERT, Reason.SURGE, (hostile,))])
    with opened(build(folder)) as page:
        assert hostile in page.locator("#log-table").inner_text()
        assert page.evaluate("window.hacked") is None
