"""Any one of the province's 56 centres is lost on a busy morning and comes back: the laws hold, whichever it is.

``make soak-centres`` loses any two of them, and ``make soak-centres LOST=jiujiang`` one alone.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soak_centres
import soak_figures
from loss_laws import SETTLED_NS, Judge, told
from lost_centres import busy_moment, centres, double_losses, quick_brain, seen_through, single_losses

from router_core.plan import Choice
from router_core.vocabulary import NodeKind
from sim.data_plane import Refusal
from sim.studies.case import BrainChoice, platform_of
from sim.studies.survival.elements import Failure
from sim.studies.survival.trial import Moment

NAMES = [loss.name for loss in single_losses()]


@pytest.fixture(scope="module")
def brain(tmp_path_factory) -> Path:
    return quick_brain(tmp_path_factory.mktemp("brain"))


@pytest.fixture(scope="module")
def moment(brain, tmp_path_factory) -> Moment:
    return busy_moment(tmp_path_factory.mktemp("morning"), BrainChoice("static", brain))


def test_the_centres_are_the_provinces_the_cities_and_the_counties():
    """56 as given for the province: 1, 11 and 44; any two of them are 1,540 pairs."""
    network = platform_of("jiangxi").network
    assert len(NAMES) == int((network.node_kind == NodeKind.CENTRE).sum()) == 56
    assert len(double_losses()) == 1_540
    for one in centres():
        node = network.node_index[one.name]
        assert set(one.stations) == {network.node_station[node], network.node_process_station[node]}


def test_the_morning_is_busy_and_what_loses_nothing_changes_nothing(moment):
    seen = seen_through(moment, Failure((), ()))
    network, minutes = seen.network, moment.span.whole_ns / 60e9
    assert len(seen.rows) > 1_000 * minutes
    busy = seen.last.busy_ns / network.station_servers / seen.last.now_ns
    assert busy.max() > 0.5
    np.testing.assert_array_equal(seen.outcome.delivered_ns, seen.base.delivered_ns)
    assert not seen.outcome.retries.any()


@pytest.mark.parametrize("name", NAMES)
def test_whichever_centre_is_lost_the_laws_hold(moment, name):
    """Laws 1 and 7: nothing is lost, exactly those whom no way joins wait, and all is as before soon."""
    verdict = Judge(seen_through(moment, single_losses()[NAMES.index(name)])).verdict()
    assert not verdict.broken, told(verdict)
    assert verdict.stranded_pairs == 0, "every pair that is joined has a live way"
    assert verdict.cut > 0
    assert verdict.retried > 0


def test_who_is_stranded_by_two_losses_are_those_whom_every_way_of_the_plan_fails(moment):
    """A plan's few ways are past every single loss, and not past every two: who is left without is told apart."""
    loss = next(one for one in double_losses() if one.name == "province + jiujiang")
    judge = Judge(seen_through(moment, loss))
    assert not judge.verdict().broken
    assert judge.stranded_ends
    down = set(loss.stations)
    (live,) = [asked for asked in judge.seen.asked if asked.alternates]
    without = {
        ends
        for ends, choice in live.of_ends.items()
        if choice is not None and all(down & set(trunk.stations) for trunk in choice.trunks)
    }
    source, target = (np.array(column, dtype=np.int32) for column in zip(*without, strict=True))
    cut = judge.seen.cut(source, target)
    assert judge.stranded_ends == {ends for ends, gone in zip(without, cut, strict=True) if not gone}


# What judges is itself judged: each law, broken in a run that broke none.


@pytest.fixture(scope="module")
def judge(moment) -> Judge:
    """Two cities, so that there are routes past them and pairs that are cut off."""
    found = Judge(seen_through(moment, next(one for one in double_losses() if one.name == "jiujiang + ganzhou")))
    assert not found.verdict().broken
    return found


def with_outcome(judge: Judge, column: str, row: int, value: int) -> Judge:
    changed = getattr(judge.seen.outcome, column).copy()
    changed[row] = value
    return Judge(replace(judge.seen, outcome=replace(judge.seen.outcome, **{column: changed})))


def first(mask: np.ndarray) -> int:
    return int(np.flatnonzero(mask)[0])


def broken(judge: Judge) -> str:
    return "\n".join(judge.verdict().broken)


def test_an_exchange_that_never_comes_is_found(judge):
    lost = with_outcome(judge, "delivered_ns", 100, -1)
    assert "by the plane's counts" in broken(lost)
    silent = replace(lost.seen, last=replace(lost.seen.last, delivered=lost.seen.last.delivered - 1))
    assert "1 exchanges are not delivered though all are joined again" in broken(Judge(silent))
    refused = with_outcome(judge, "refusal", 100, Refusal.GAVE_UP)
    assert "by the plane's counts" in broken(refused)


def test_an_exchange_that_comes_twice_is_found_by_its_bytes(judge):
    seen = judge.seen
    end = int(seen.rows.target[50])
    line = seen.network.access_station[seen.network.homes[end][0], end]
    served = seen.last.served_bytes.copy()
    served[line] += seen.rows.payload_bytes[50]
    twice = Judge(replace(seen, last=replace(seen.last, served_bytes=served)))
    assert f"{seen.network.node_name[end]} was sent" in broken(twice)


def test_who_is_delivered_over_what_is_lost_is_found(judge):
    row = first(judge.cut & judge.during)
    through = with_outcome(judge, "delivered_ns", row, int(judge.seen.rows.submitted_ns[row]) + 1)
    assert f"exchange {row}, " in broken(through)
    assert "is delivered over what is lost (1 such exchanges)" in broken(through)


def test_who_is_tried_again_though_the_loss_was_known_is_found(judge):
    span = judge.seen.moment.span
    row = first(~judge.cut & (judge.seen.rows.submitted_ns > span.lead_ns + 2e9))
    assert "law 7: is tried again though the loss was known" in broken(with_outcome(judge, "retries", row, 1))
    row = first(~judge.cut & (judge.seen.rows.payload_bytes < 1_000))
    assert "law 7: a chunk is tried again more than once" in broken(with_outcome(judge, "retries", row, 2))


def test_who_comes_too_late_is_found(judge):
    row = first(judge.cut & judge.during)
    late_ns = judge.seen.moment.span.until_ns + SETTLED_NS + 2**40
    assert "is not delivered within 10 min of the return" in broken(with_outcome(judge, "delivered_ns", row, late_ns))


def test_a_past_that_changes_is_found(judge):
    row = first((judge.seen.base.delivered_ns < judge.seen.moment.span.lead_ns) & (judge.seen.base.delivered_ns > 0))
    changed = with_outcome(judge, "delivered_ns", row, int(judge.seen.base.delivered_ns[row]) + 1)
    assert "changed before anything was lost" in broken(changed)


def with_answer(judge: Judge, make) -> Judge:
    """The plan that leaves out what is lost, with another answer for the first pair that has several ways."""
    asked = [replace(one, of_ends=dict(one.of_ends)) for one in judge.seen.asked]
    place = next(number for number, one in enumerate(asked) if one.alternates)
    down = set(judge.seen.failure.stations)
    own = asked[place].plan.plan
    for ends in asked[place].of_ends:
        choice = own.choice(*judge.seen.network.node_group[list(ends)].tolist())
        live = [down.isdisjoint(trunk.stations) for trunk in choice.trunks]
        if any(live) and not all(live):
            asked[place].of_ends[ends] = make(choice, live)
            return Judge(replace(judge.seen, asked=tuple(asked)))
    raise AssertionError("some way leads over what is lost")


def test_a_route_over_what_is_lost_is_found(judge):
    def astray(choice: Choice, live: list[bool]) -> Choice:
        return Choice(choice.trunks, tuple(int(not one) for one in live))

    assert "is led over what is lost though another way lives" in broken(with_answer(judge, astray))


def test_a_route_that_does_not_exist_is_found(judge):
    def torn(choice: Choice, live: list[bool]) -> Choice:
        trunk = choice.trunks[live.index(True)]
        return Choice((replace(trunk, stations=trunk.stations[:-2]),), (1,))

    assert "law 7: " in broken(with_answer(judge, torn))


def test_front_ends_that_go_on_leaving_out_ways_are_found(judge):
    asked = judge.seen.asked
    still = next(one for one in asked if one.alternates)
    late = replace(still, since_ns=judge.seen.moment.span.until_ns + 10**10)
    assert "still leave out ways" in broken(Judge(replace(judge.seen, asked=(*asked, late))))
    none = tuple(one for one in asked if one.since_ns <= judge.seen.moment.span.until_ns)
    assert "still leave out ways" in broken(Judge(replace(judge.seen, asked=none)))


def test_a_world_that_stays_another_is_found(judge):
    shifted = replace(judge.seen.base, delivered_ns=judge.seen.base.delivered_ns + 1)
    assert "of the last minutes' exchanges only 0.0% come as without the loss" in broken(
        Judge(replace(judge.seen, base=shifted))
    )


def test_the_soak_says_what_it_found_and_where_to_go_on(brain, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(soak_centres, "keep_figures", lambda name, one: soak_figures.keep_figures(name, one, tmp_path))
    words = ["--prepared", str(brain), "--from", "1538", "--workers", "here"]
    assert soak_centres.main(words) == 0
    shown = capsys.readouterr()
    assert "of 2, the next is --from 1540" in shown.err
    assert "0 of them break a law" in shown.out
    kept = json.loads((tmp_path / "centres.json").read_text(encoding="utf-8"))
    assert kept["name"] == "centres"
    assert kept["figures"]["losses"] == 2
    with pytest.raises(SystemExit, match="must be one or two of province, nanchang"):
        soak_centres.main(["--lost", "province + nowhere"])


def test_a_loss_that_breaks_a_law_is_told_with_its_command(judge):
    verdict = with_outcome(judge, "delivered_ns", 100, -1).verdict()
    assert told(verdict).splitlines()[0] == "jiujiang + ganzhou lost:"
    assert told(verdict).splitlines()[-1] == "replay: make soak-centres SEED=1 LOST='jiujiang + ganzhou'"
