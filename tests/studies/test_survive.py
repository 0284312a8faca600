"""`survive` on the toy province: who is cut off loses, nobody else does, and what changes nothing costs nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from learnt_toy import hours
from tuned_toy import RUSH, toy_brain

import scenarios
from exchange_router.main import status
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import MINUTE_NS, SECOND_NS
from sim.completion import QUANTILES, percentile
from sim.report.blocks import MapBlock, TableBlock, Words
from sim.studies.case import BrainChoice, live_case, platform_of
from sim.studies.study import StudyFolder, read_study
from sim.studies.survival.cut_off import Reach
from sim.studies.survival.elements import KINDS, USUAL, Failure, elements_of
from sim.studies.survival.normal import Bounds
from sim.studies.survival.study import study_folder
from sim.studies.survival.survive import Survived, SurviveSpec, ranked, survive
from sim.studies.survival.trial import Harm, Trial, faults_of, live_baseline, try_failure
from sim.studies.survival.window import Span
from sim.studies.survival.words import beyond, pair_shares, verdict_of
from sim.studies.traffic import Traffic
from sim.workers import open_workers
from traces.reader import TraceReader
from traces.writer import write_all

SPAN = Span(2 * MINUTE_NS, 3 * MINUTE_NS, 8 * MINUTE_NS)
# From the failure on until front-ends know of it and have waited for their first retries.
MOMENT_NS = 4 * SECOND_NS
NETWORK = scenarios.load("toy").network


def spec_of(**changes: Any) -> SurviveSpec:
    spec = SurviveSpec(
        scenario="toy",
        brain=BrainChoice("ecmp"),
        traffic=Traffic(traces=(hours(9.0, 0.4),)),
        at=("09:06",),
        span=SPAN,
        bounds=Bounds(late_by_ns=10 * SECOND_NS),
    )
    return replace(spec, **changes)


def survived_by(workers: str, spec: SurviveSpec, folder: Path) -> Survived:
    with open_workers(workers) as many:
        return survive(spec, many, folder)


def hasty_toy(folder: Path) -> Path:
    """The toy whose front-ends give up after their second retry, three seconds after they failed first."""
    text = (Path(scenarios.__file__).parent / "toy.toml").read_text(encoding="utf-8")
    assert "transport" not in text
    changed = text.replace("zones = [", "transport = { retries = 2, backoff_s = 1.0 }\nzones = [", 1)
    path = folder / "hasty.toml"
    path.write_text(changed, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def lived(tmp_path_factory) -> tuple[Survived, Path]:
    """Every failure of the toy, pools and all, and 30 pairs; what was kept of the baselines stays readable."""
    folder = tmp_path_factory.mktemp("survive")
    return survived_by("here", spec_of(kinds=tuple(KINDS), pairs=30), folder), folder


def without_way(network: Network, down: np.ndarray, pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Pairs of which every way that `ecmp` gives them passes a station that is down."""
    plan, found = EqualCostPlan(network), set()
    for source, target in pairs:
        choice = plan.choice(int(network.node_group[source]), int(network.node_group[target]))
        assert choice is not None
        ways = [
            [
                int(network.node_station[source]),
                network.access_station[source, trunk.first],
                *trunk.stations,
                network.access_station[trunk.last, target],
                int(network.node_station[target]),
            ]
            for trunk in choice.trunks
        ]
        if all(down[way].any() for way in ways):
            found.add((source, target))
    return found


def test_who_gives_up_loses_what_is_cut_off_while_it_lasts_and_nothing_else(tmp_path):
    """Every element of the toy: what is submitted between endpoints that no way joins is lost; of others, what has no
    way in the plan, as `ecmp` carries no last resorts."""
    with TraceReader(hours(9.0, 0.4)) as usual:
        # Of a kilobyte each: nobody waits but for what failed.
        small = replace(usual.read_all(), payload_bytes=np.full(usual.rows, 1_000))
        write_all(tmp_path / "small.parquet", usual.info, small)
    calm = Traffic(traces=(tmp_path / "small.parquet",))
    spec = spec_of(scenario=str(hasty_toy(tmp_path)), kinds=tuple(KINDS), traffic=calm)
    found = survived_by("here", spec, tmp_path)
    case = found.moments[0].case
    network = platform_of(case.scenario).network
    with TraceReader(case.trace) as reader:
        rows = reader.read_all(platform_of(case.scenario))
    base_ns = live_case(case).record.outcome.delivered_ns
    reach, losing = Reach(network), 0
    for one in found.singles:
        (harm,) = one.harms
        down = np.zeros(network.station_count, dtype=bool)
        down[list(one.failure.stations)] = True
        cut = reach.cut(rows.source, rows.target, down)
        during = (rows.submitted_ns >= SPAN.lead_ns) & (rows.submitted_ns < SPAN.until_ns)
        # Whoever begins in the last moment sees it return before giving up; whoever is under way may be struck.
        surely = int((cut & during & (rows.submitted_ns < SPAN.until_ns - MOMENT_NS)).sum())
        pairs = list(zip(rows.source.tolist(), rows.target.tolist(), strict=True))
        without = without_way(network, down, set(pairs))
        unplanned = np.array([pair in without for pair in pairs])
        assert (unplanned | ~cut).all()
        at_most = int((unplanned & (base_ns >= SPAN.lead_ns) & (rows.submitted_ns < SPAN.until_ns)).sum())
        assert surely <= harm.lost <= at_most, one.failure.name
        assert (harm.refused, harm.undelivered) == (harm.lost, 0)
        assert harm.cut_exchanges == (cut & during).sum()
        ends = set(zip(rows.source[cut & during].tolist(), rows.target[cut & during].tolist(), strict=True))
        assert harm.cut_pairs == len(ends)
        losing += harm.lost > 0
    assert 10 < losing < len(found.singles), "front-ends, access lines and centres; lines between sites have others"


def test_who_waits_is_late_by_as_long_as_it_lasts(lived):
    """With retries enough nothing is lost, and who is cut off comes after the return; the others hardly wait."""
    for one in lived[0].singles:
        (harm,) = one.harms
        assert harm.lost == 0
        late = harm.cut_hurt
        assert harm.late >= late
        # All but those of the last moments, who are late by less than the bound.
        assert late >= 0.8 * harm.cut_exchanges
        if harm.cut_exchanges:
            assert harm.later_s > late * 10


@pytest.mark.parametrize("plane", ["compiled", "simpy"])
def test_no_failure_is_the_baseline_exactly(lived, plane):
    found, _ = lived
    moment = found.moments[0]
    moment = replace(moment, case=replace(moment.case, data_plane=plane))
    harm = try_failure(Trial(moment, Failure((), ()), Bounds(0, 0.0)))
    zeros = {name: value for name, value in asdict(harm).items() if "p99" not in name and name != "exchanges"}
    assert zeros == {name: True if name == "normal" else 0 for name in zeros}
    assert harm.p99_ns == harm.base_p99_ns
    assert harm.p99_query_ns == harm.base_p99_query_ns
    assert harm.exchanges == found.baselines[0]["exchanges"] > 100


def test_what_nobody_uses_costs_nothing_when_it_fails(lived):
    """`ecmp` borrows from no pool."""
    pools = [one for one in lived[0].singles if one.failure.elements[0].kind == "pool"]
    assert len(pools) == len(NETWORK.pools) == 3
    for one in pools:
        (harm,) = one.harms
        assert (harm.lost, harm.late, harm.sooner, harm.later_s, harm.elsewhere, harm.normal_s) == (0, 0, 0, 0, 0, 0)


def test_numbers_are_those_of_a_count_row_by_row(lived):
    found, _ = lived
    worst = [ranked(found.singles)[0], *[one for one in found.singles if one.failure.elements[0].kind == "carrier"]]
    case = found.moments[0].case
    base = live_case(case)
    for one in worst:
        (harm,) = one.harms
        run = live_case(replace(case, faults=faults_of(one.failure, SPAN)))
        count = dict.fromkeys(("exchanges", "lost", "late", "sooner", "missed", "retried"), 0)
        took: dict[str, list[int]] = {"with": [], "without": []}
        bound = found.spec.bounds.late_by_ns
        rows = zip(
            run.record.exchanges.submitted_ns.tolist(),
            base.record.outcome.delivered_ns.tolist(),
            run.record.outcome.delivered_ns.tolist(),
            (run.done.missed & ~base.done.missed).tolist(),
            (run.record.outcome.retries - base.record.outcome.retries).tolist(),
            strict=True,
        )
        later = 0
        for submitted, before, after, missed, retries in rows:
            if submitted < SPAN.lead_ns and before < SPAN.lead_ns:
                assert after == before, "the past stays as it was"
                continue
            count["exchanges"] += 1
            count["lost"] += after < 0 <= before
            count["late"] += after >= 0 and after - before > bound
            count["sooner"] += after >= 0 and before - after > bound
            count["missed"] += missed
            count["retried"] += retries > 0
            later += max(after - before, 0)
            took["without"].append(before - submitted)
            took["with"].append(after - submitted)
        assert {name: getattr(harm, name) for name in count} == count
        assert harm.later_s == pytest.approx(later / SECOND_NS)
        p99 = {name: percentile(np.sort(times), QUANTILES["p99_ns"]) for name, times in took.items()}
        assert (harm.p99_ns, harm.base_p99_ns) == (p99["with"], p99["without"])
        assert harm.late + harm.sooner + harm.lost <= harm.exchanges


@pytest.mark.parametrize("kind", ["carrier", "centre", "pool"])
def test_both_data_planes_suffer_the_same(tmp_path, kind):
    """Law 4, under a brain that plans, holds back and borrows."""
    brain = BrainChoice("static", toy_brain(tmp_path))
    spec = spec_of(brain=brain, kinds=(kind,), traffic=Traffic(traces=(hours(9.0, 0.3, days=RUSH),)), at=("09:02",))
    spec = replace(spec, span=Span(2 * MINUTE_NS, 5 * MINUTE_NS, 5 * MINUTE_NS))
    found = survived_by("here", spec, tmp_path)
    moment = found.moments[0]
    other = replace(moment, case=replace(moment.case, data_plane="simpy"), baseline=tmp_path / "other.npz")
    assert live_baseline(other) == found.baselines[0]
    for one in found.singles[:2]:
        assert try_failure(Trial(other, one.failure, spec.bounds)) == one.harms[0]


def test_ranks_are_by_what_is_lost_then_late_then_missed_then_how_long(lived):
    found, _ = lived
    order = found.ranked
    assert sorted(one.failure.members for one in order) == [(place,) for place in range(len(found.elements))]
    keys = [(one.mean("lost"), one.mean("late"), one.mean("missed"), one.mean("normal_s")) for one in order]
    assert keys == sorted(keys, reverse=True)
    assert keys[0][1] > 0
    made = study_folder(found, {}, Words("Toy", "玩具"))
    names = made.tables["ranking"].filter(made.tables["ranking"]["other_kind"].is_null()).column("failure").to_pylist()
    assert names == [one.failure.name for one in order]


def test_pairs_are_held_against_their_failures_by_themselves(lived):
    found, _ = lived
    alone = {one.failure.members[0]: one for one in found.singles}
    assert len(found.paired) == 30
    for one in found.paired:
        a, b = (alone[member] for member in one.failure.members)
        assert one.mean("cut_pairs") >= max(a.mean("cut_pairs"), b.mean("cut_pairs")), "more down, no more ways"
        assert beyond(found, one, "late") == one.mean("late") - a.mean("late") - b.mean("late")
    shares = pair_shares(found)
    assert shares is not None
    assert shares.losing.count == 0
    assert shares.cutting.low <= shares.cutting.value <= shares.cutting.high


def content(found: Survived) -> list[object]:
    made: StudyFolder = study_folder(found, {"command": "exchange-router survive"}, Words("Toy", "玩具"))
    tables = {name: table.to_pydict() for name, table in made.tables.items()}
    return [made.study.model_dump_json(), made.page.model_dump_json(), repr(tables)]


def test_whoever_works_the_study_is_the_same(tmp_path):
    """Law 5; two hours, two seeds, pairs."""
    spec = spec_of(kinds=("carrier", "gateway"), at=("09:06", "09:10"), seeds=(3, 4), pairs=4)
    texts = []
    for workers in ("here", "2"):
        (tmp_path / workers).mkdir()
        found = survived_by(workers, spec, tmp_path / workers)
        assert [(one.at, one.case.seed) for one in found.moments] == [
            (f"2026-03-09T09:{minute}", seed) for minute in ("06", "10") for seed in (3, 4)
        ]
        assert all(len(one.harms) == 4 for one in (*found.singles, *found.paired))
        texts.append(content(found))
        one = (*found.singles, *found.paired)[3]
        assert one.harms == tuple(try_failure(Trial(moment, one.failure, spec.bounds)) for moment in found.moments)
    assert texts[0] == texts[1]


def test_the_page_says_what_was_found(lived):
    found, _ = lived
    made = study_folder(found, {}, Words("Toy", "玩具"))
    verdict = verdict_of(found)
    count, worst = len(found.singles), found.ranked[0]
    assert verdict.text.en.startswith(f"None of {count} single failures loses an exchange; the worst, ")
    assert (
        f" {worst.failure.name}, makes {100 * worst.late_share:.3g} % of exchanges later by more than 10 s"
        in verdict.text.en
    )
    assert f"(30 drawn of {found.pairs.population:,})" in verdict.text.en
    assert (verdict.confidence, verdict.good) == (0.95, None), "somebody is cut off"
    assert made.tables["failures"].num_rows == count + 30
    assert made.tables["ranking"].num_rows == count + 30
    (drawn,) = [block for block in made.page.blocks if isinstance(block, MapBlock)]
    at_site = {site.name: site.value for site in drawn.sites}
    hurts: dict[str, float] = {}
    for one in found.singles:
        element = one.failure.elements[0]
        if element.kind in ("router", "centre", "process", "gateway"):
            site = int(NETWORK.node_site[NETWORK.station_owner[element.stations[0]]])
            (name,) = [name for name in at_site if NETWORK.node_site[NETWORK.node_index[name]] == site]
            hurts.setdefault(name, 0.0)
            hurts[name] = max(hurts[name], (one.harms[0].late + one.harms[0].lost) / one.harms[0].exchanges)
    assert at_site == pytest.approx(hurts)
    assert all(line.value is not None for line in drawn.lines), "every line between sites failed"
    titles = [block.title.en for block in made.page.blocks if isinstance(block, TableBlock)]
    assert "Who is cut off, whatever a brain does" in titles


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"^--at: must have 2 min before it and 11 min after"):
        survived_by("here", spec_of(at=("09:30",)), tmp_path)
    with pytest.raises(BadInputError, match=r"^--kinds: must name something that the scenario has"):
        survived_by("here", spec_of(kinds=()), tmp_path)
    toy = BrainChoice("static", toy_brain(tmp_path))
    with pytest.raises(BadInputError, match="must be made for the network of scenario jiangxi"):
        survived_by("here", replace(spec_of(brain=toy), scenario="jiangxi"), tmp_path)


@cache
def words() -> tuple[str, ...]:
    trace = hours(9.0, 0.4)
    common = ["survive", "--scenario", "toy", "--brain", "ecmp", "--trace", str(trace), "--at", "09:06"]
    return (*common, "--lead", "2min", "--lasts", "180s", "--tail", "0.1h", "--workers", "here")


def test_the_command_writes_a_study_that_can_be_remade(tmp_path, capsys):
    out = tmp_path / "out"
    assert status([*words(), "--kinds", "line,carrier", "--pairs", "all", "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    study, _ = read_study(out)
    assert study.kind == "survive"
    assert document["found"] == study.found
    assert document["found"]["pairs"]["whole"]
    elements = elements_of(NETWORK, ("line", "carrier"))
    assert study.found["singles"] == len(elements) == 8
    assert study.found["pairs"]["tried"] == study.found["pairs"]["population"] == 28 - 6, "a carrier holds its lines"
    table = pq.read_table(out / "failures.parquet")
    assert table.num_rows == 8 + 22
    assert {f.name for f in Harm.__dataclass_fields__.values()} <= set(table.column_names)
    page = (out / "report.html").read_bytes()
    (out / "report.html").unlink()
    assert status(["report", str(out)]) == 0
    assert (out / "report.html").read_bytes() == page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"], "windows are gone"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--kinds", "lines"], "--kinds: must be `all`, or of line"),
        (["--pairs", "some"], "--pairs: must be `all` or a number"),
        (["--pairs", "-1"], "--pairs: must be `all` or a number"),
        (["--lasts", "0s"], "--lasts: must be a length"),
        (["--lasts", "30"], "--lasts: must be a length"),
        (["--tail", "nan"], "--tail: must be a length"),
        (["--late-by", "1e3s"], "--late-by: must be a length"),
        (["--lead", "200h"], "--lead: must be a length"),
        (["--band", "2"], "--band"),
        (["--brain", "static"], "--prepared"),
        (["--start", "2026-03-09"], "either traces or --start"),
        (["--at", "25:00"], "--at: must be a time of day"),
    ],
)
def test_bad_options_are_refused_in_one_line(tmp_path, capsys, more, told):
    assert status([*words(), "--out", str(tmp_path / "out"), *more]) == 2
    message = capsys.readouterr().err
    assert told in message
    assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_traffic_can_be_drawn_for_each_seed(tmp_path, capsys):
    drawn = ["survive", "--scenario", "toy", "--brain", "ecmp", "--start", "2026-03-09T09:00", "--hours", "0.4"]
    drawn += ["--exchanges-per-day", "20000", "--at", "09:06", "--lead", "2min", "--lasts", "3min", "--tail", "6min"]
    drawn += ["--kinds", "carrier", "--seeds", "2", "--seed", "5", "--workers", "here", "--json"]
    assert status([*drawn, "--out", str(tmp_path / "out")]) == 0
    found = json.loads(capsys.readouterr().out)["found"]
    assert [one["seed"] for one in found["baselines"]] == [5, 6]
    assert found["baselines"][0]["exchanges"] != found["baselines"][1]["exchanges"], "each has its own traffic"


def test_usual_kinds_are_all_but_front_ends_and_what_other_kinds_hold():
    assert set(KINDS) - set(USUAL) == {"access", "endpoint", "carrier-at"}
