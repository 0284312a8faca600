"""`replay --watch`: moments add up to the run, what is decided is told, and watching changes nothing."""

from __future__ import annotations

import io

import pytest
from learnt_toy import Days, at, brain_of, hours, toy
from rich.console import Console

from exchange_router import watch as watch_module
from exchange_router.watch import ROUTINE, Watch, watching
from router_core.units import HOUR_NS
from sim.moment import Moment
from sim.replay import live
from strategies.decision import Decision, DecisionKind, Reason

RUSH = Days(rush=(9.5, 10.5, 4.0))


@pytest.fixture(scope="module", params=["ecmp", "dynamic"])
def day(request):
    """A brain's morning with a rush, and what was seen of it."""
    moments: list[Moment] = []
    trace = hours(9, 3, days=RUSH)
    lived = live(toy(), trace, brain_of(request.param, 9), seed=1, on_moment=moments.append)
    return request.param, lived, moments


def test_moments_add_up_to_the_run(day):
    _, lived, moments = day
    assert sum(moment.submitted for moment in moments) == len(lived.record.exchanges) > 0
    assert sum(moment.delivered for moment in moments) == len(lived.record.exchanges)
    assert (moments[-1].in_flight, moments[-1].withheld) == (0, 0)
    assert any(moment.in_flight > 0 for moment in moments)


def test_the_busiest_stations_are_those_of_the_series(day):
    _, lived, moments = day
    rows, names = lived.record.series.rows, toy().network.station_name
    for slot, moment in enumerate(moments[1:]):
        expected = {
            names[station]: share
            for station, share in zip(rows.station[rows.slot == slot], rows.utilisation[rows.slot == slot], strict=True)
        }
        shares = [share for _, share in moment.busiest]
        assert shares == sorted(shares, reverse=True)
        assert max(expected.values(), default=0.0) == pytest.approx(shares[0] if shares else 0.0, rel=1e-6)
        assert all(expected[name] == pytest.approx(share, rel=1e-6) for name, share in moment.busiest)


def test_each_decision_is_seen_once_in_its_order(day):
    _, lived, moments = day
    seen = [decision for moment in moments for decision in moment.decisions]
    assert seen == list(lived.record.decisions[: len(seen)])
    assert all(decision.now_ns >= moments[-1].now_ns for decision in lived.record.decisions[len(seen) :])


def test_lines_come_every_simulated_hour_and_leave_no_decision_out(day, monkeypatch, capsys):
    name, _, moments = day
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")
    with watching([name], at(9)) as hear:
        for moment in moments:
            hear(name, moment)
    said = capsys.readouterr().err.splitlines()
    hourly = [line for line in said if "submitted" in line]
    assert len(hourly) == moments[-1].now_ns // HOUR_NS + 1
    assert hourly[1].startswith(f"03-09 10:00 {name}: ")
    told = [one for moment in moments for one in moment.decisions if one.kind not in ROUTINE]
    assert len(said) - len(hourly) == len(told)
    assert (name == "ecmp") == (not told)


def moment_of(now_ns: int, *decisions: Decision) -> Moment:
    return Moment(now_ns, 1_200, 1_100, 40, 7, (("[red]a>b[/x]#1", 0.934), ("c", 0.5)), 2, decisions)


def test_the_view_has_a_row_a_brain_and_the_last_decisions(monkeypatch):
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "zh")
    seen = Watch(["static", "dynamic"], at(0))
    for hour in range(40):
        surge = Decision(hour * HOUR_NS, 0, DecisionKind.SURGE_FOUND, Reason.ABOVE_FORECAST, ("a", "b", "c", "d"))
        routine = Decision(hour * HOUR_NS, 0, DecisionKind.PARTICLES_SENT, Reason.SLOT_BEGAN)
        seen.hear("dynamic", moment_of(hour * HOUR_NS, surge, routine))
    paper = io.StringIO()
    Console(file=paper, width=160, markup=False).print(seen.view())
    shown = paper.getvalue()
    assert "static" in shown
    assert "03-10 15:00" in shown
    assert "1,200" in shown
    assert "[red]a>b[/x]#1 93%" in shown
    assert shown.count("发现浪涌") == watch_module.LOG_LINES
    assert "(a, b, c, ...)" in shown
    assert "发送测试粒子" not in shown


def test_in_a_terminal_there_is_a_live_view_that_goes(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    paper = Terminal()
    monkeypatch.setattr("sys.stderr", paper)
    monkeypatch.setenv("TERM", "xterm")
    with watching(["ecmp"], at(0)) as hear:
        hear("ecmp", moment_of(HOUR_NS))
    assert "ecmp" in paper.getvalue()
    assert "\x1b[" in paper.getvalue()
