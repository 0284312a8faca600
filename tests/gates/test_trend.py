"""The page of the nights: equal bytes, open about what it left out, no markup from names, of 1 night or of 400."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from datetime import datetime, timedelta

import pytest
from browser import headless_chromium

from benchmarks.gates import trend_page
from benchmarks.gates.history import Figure, Night, append, bench_figures, read, soak_figures
from benchmarks.gates.nightly import main, summed
from benchmarks.gates.trend_page import LINES, trend

HOSTILE = "<img src=x onerror=alert(1)></script><b>&amp;"
COMMAND = "the command"


def night_of(
    number: int, *, names: tuple[str, ...] = ("gate ratios: one", "median: two", "goal: three"), **changes
) -> Night:
    draws = random.Random(number)
    figures = {
        name: Figure(draws.uniform(0.9, 1.1), 1.2 if name.startswith("gate") else None, unit="s") for name in names
    }
    date = (datetime(2026, 1, 1) + timedelta(days=number)).isoformat() + "+00:00"
    return Night(date, "0123456789abcdef", {"ratios": "a processor"}, figures | changes.pop("figures", {}), **changes)


def written(folder, nights) -> bytes:
    history = folder / "history.jsonl"
    for night in nights:
        append(history, night)
    return trend_page.write(folder / "page" / "index.html", read(history), COMMAND).read_bytes()


@pytest.mark.parametrize("count", [1, 2, 400], ids=lambda count: f"{count}-nights")
def test_equal_histories_are_equal_bytes_of_bounded_size(tmp_path, count):
    names = tuple(f"gate ratios: kernel {number}" for number in range(20))
    nights = [night_of(number, names=names) for number in range(count)]
    one, other = (written(tmp_path / name, nights) for name in ("one", "other"))
    assert one == other
    assert len(one) < 1_500_000 + count * len(names) * 60
    assert b"http" not in one.split(b'id="facts"')[1].split(b"</script>")[0]


def test_a_night_goes_round(tmp_path):
    night = night_of(3, failed=("soak", "gate ratios: one"))
    append(tmp_path / "history.jsonl", night)
    assert read(tmp_path / "history.jsonl").nights == (night,)


def test_nights_come_by_date_and_every_figure_has_its_place_in_a_chart():
    names = tuple(f"median: {number}" for number in range(2 * LINES + 1))
    page = trend(read_of(night_of(2, names=names), night_of(1, names=names[1:])))
    charts = [block for block in page.blocks if block.kind == "series"]
    assert [line.label.en for chart in charts for line in chart.lines] == sorted(names)
    assert all(len(chart.lines) <= LINES for chart in charts)
    missing = next(line for chart in charts for line in chart.lines if line.label.en == names[0])
    assert missing.y[0] is None
    assert missing.y[1] == 1.0


def read_of(*nights: Night):
    from benchmarks.gates.history import History  # noqa: PLC0415

    return History(tuple(sorted(nights, key=lambda night: night.date)))


def test_a_limit_is_drawn_where_there_is_one_and_what_changed_most_comes_first():
    nights = [night_of(number) for number in range(9)]
    nights.append(night_of(9, figures={"median: two": Figure(3.0)}, failed=("gate ratios: one",)))
    page = trend(read_of(*nights))
    changes = next(block for block in page.blocks if block.kind == "table")
    assert changes.rows[0][0].en == "median: two"
    assert changes.rows[0][1] > 1.5
    limits = {block.title.en.split(" · ")[0]: block.limits for block in page.blocks if block.kind == "series"}
    assert [value for _, value in limits["gate ratios"]] == [1.0]
    assert limits["median"] == []
    assert page.verdict.good is False
    assert "gate ratios: one" in page.verdict.text.en


BROKEN = {
    "cut short": '{"date": "2026-01-0',
    "no object": "[1, 2]",
    "no figures": '{"date": "2026-01-01", "commit": "a", "toolchain": {}, "failed": []}',
    "no date": json.dumps(asdict(night_of(1)) | {"date": "yesterday"}),
    "not a number": json.dumps(asdict(night_of(1, figures={"a": Figure(float("nan"))}))),
    "a text": json.dumps(asdict(night_of(1)) | {"figures": {"a": {"value": "1"}}}),
    "other fields": json.dumps(asdict(night_of(1)) | {"figures": {"a": {"value": 1, "colour": "red"}}}),
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_line_is_told_by_its_number_counted_and_left_out(tmp_path, line, capsys):
    history = tmp_path / "history.jsonl"
    append(history, night_of(1))
    with history.open("a", encoding="utf-8") as file:
        file.write(line + "\n\n")
    append(history, night_of(2))
    found = read(history)
    assert len(found.nights) == 2
    assert [text.split(":")[0] for text in found.broken] == ["line 2"]
    assert main(["--page-only", "--history", str(history)]) == 0
    assert "left out line 2" in capsys.readouterr().err
    facts = next(block for block in trend(found).blocks if block.kind == "facts")
    assert ("1", found.broken[0]) == (facts.rows[3][1], facts.rows[4][1])


def test_a_line_that_was_cut_short_does_not_swallow_the_next_night(tmp_path):
    history = tmp_path / "history.jsonl"
    history.write_text('{"date": "2026-01-0')
    append(history, night_of(2))
    found = read(history)
    assert len(found.nights) == 1
    assert len(found.broken) == 1


def test_without_a_night_there_is_no_page_and_it_says_so(tmp_path, capsys):
    assert main(["--page-only", "--history", str(tmp_path / "none.jsonl")]) == 1
    assert "no night" in capsys.readouterr().err


def test_benchmarks_give_medians_goals_and_ratios_and_leave_out_what_is_no_number():
    def one(name, **info):
        return {"fullname": f"benchmarks/test_bench_{name}", "stats": {"median": 0.5}, "extra_info": info}

    found = bench_figures(
        {
            "benchmarks": [
                one("a.py::test_x", goal="route.56", value=17.0, target=15.0, ratio={"scipy": 17.0, "other": 40.0}),
                one("b.py::test_y", goal="replay.fifo", value=float("nan"), target=500, ratio=160.0),
                one("c.py::test_z"),
            ]
        }
    )
    assert found["median: a.py::test_x"] == Figure(0.5, unit="s")
    assert found["goal: route.56"] == Figure(17.0, target=15.0)
    assert found["times as fast as scipy: a.py::test_x"].value == 17.0
    assert found["times as fast as fastest peer: b.py::test_y"].value == 160.0
    assert "goal: replay.fifo" not in found
    assert len(found) == 7


def test_soaks_give_their_figures_and_a_part_that_failed_is_kept(tmp_path):
    folder = tmp_path / "soak"
    folder.mkdir()
    (folder / "planes.json").write_text('{"name": "planes", "figures": {"worlds_an_hour": 5000, "found": 0}}')
    assert soak_figures(folder) == {"soak planes: worlds_an_hour": Figure(5000), "soak planes: found": Figure(0)}
    night = summed([], tmp_path / "none.json", folder, ["bench"])
    assert night.failed == ("bench",)
    assert set(night.figures) == set(soak_figures(folder))
    assert soak_figures(tmp_path / "none") == {}


@pytest.mark.browser
@pytest.mark.parametrize("count", [1, 40], ids=lambda count: f"{count}-nights")
def test_in_a_browser_names_are_no_markup_and_both_languages_are_there(tmp_path, count):
    names = (f"gate {HOSTILE}: {HOSTILE}", "median: plain")
    written(tmp_path, [night_of(number, names=names, failed=(HOSTILE,)) for number in range(count)])
    errors: list[str] = []
    with headless_chromium() as browser:
        page = browser.new_page(locale="en-GB")
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.on("request", lambda request: errors.append(request.url) if not request.url.startswith("file:") else None)
        page.goto((tmp_path / "page" / "index.html").as_uri())
        page.locator("canvas").first.wait_for()
        assert page.locator("img").count() == 0
        assert HOSTILE in page.locator("#verdict").inner_text()
        assert page.locator("#title").inner_text() == "Trend of the nightly runs"
        page.locator("[data-language=zh]").click()
        assert page.locator("#title").inner_text() == "夜间运行趋势"
    assert errors == []
