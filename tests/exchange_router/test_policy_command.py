"""`policy explain` as its users meet it, on a day of the toy scenario under a brain that tells a story."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted_brain import TICKETS, ScriptedBrain

import scenarios
from exchange_router.main import status
from exchange_router.replay_tables import replay_tables
from router_core.network import NO_STATION, Network
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from sim.compiled_plane import CompiledPlane
from sim.completion import completion
from sim.decision_log import read_decisions, write_decisions
from sim.explanation import explain as explanation
from sim.metrics import summary
from sim.pairs import pairs
from sim.policy_folder import write_policies
from sim.report import build
from sim.result_folder import write_lines, write_metrics, write_network, write_pairs, write_run, write_station_slots
from sim.results import BrainMetrics, Provenance, Run, ScenarioTitle, network_table
from sim.world import Record, World
from strategies.brain import Brain, Command, Event, KeepRecord
from strategies.decision import Decision, DecisionKind
from strategies.policy_record import PolicyRecord
from strategies.registry import make_brain
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader

PLATFORM = scenarios.load("toy")
NETWORK = PLATFORM.network
DAY = date(2026, 3, 17)
SPAN_NS = 3 * HOUR_NS
# east-tax has two homes each, so its paths stand there with the access lines of the group's first endpoint.
SOURCE, TARGET = "east-tax-2", "province-data-2"
AT = "2026-03-17T01:17:30"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


def run_of(brain: Brain, trace: Path) -> tuple[Record, BrainMetrics]:
    with TraceReader(trace) as reader:
        plane = CompiledPlane(NETWORK, PLATFORM.transport)
        world = World(
            NETWORK, PLATFORM.background, brain, plane, start=reader.info.start, span_ns=reader.info.span_ns, seed=1
        )
        record = world.run(reader.batches(PLATFORM))
    done = completion(record.exchanges, record.outcome, record.ended_ns)
    return record, summary(NETWORK, record, done, brain.name, SPAN_NS, 5 * MINUTE_NS)


def store(folder: Path, trace: Path) -> Path:
    write_network(folder, network_table(NETWORK))
    brains = [make_brain("ecmp", NETWORK, None), ScriptedBrain(NETWORK)]
    for brain in brains:
        record, metrics = run_of(brain, trace)
        write_metrics(folder, metrics)
        write_station_slots(folder, brain.name, [record.series.rows])
        done = completion(record.exchanges, record.outcome, record.ended_ns)
        write_pairs(folder, brain.name, pairs(NETWORK, record.exchanges, done))
        write_lines(folder, brain.name, record.lines)
        write_decisions(folder, brain.name, record.decisions)
        write_policies(folder, brain.name, record.policies)
    origin = Provenance(
        command="replay", version="0", commit=None, scenario="toy", scenario_digest="", trace_digest="", seed=1
    )
    title = ScenarioTitle(name="toy", title_en=PLATFORM.title_en, title_zh=PLATFORM.title_zh)
    names = [brain.name for brain in brains]
    write_run(
        folder,
        Run(provenance=origin, scenario=title, start=datetime(2026, 3, 17), slot_ns=5 * MINUTE_NS, brains=names),
    )
    build(folder)
    return folder


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "trace.parquet"
    generator = TraceGenerator(PLATFORM, start=DAY, seed=3, exchanges_per_day=8_000, span=timedelta(hours=3))
    write_trace(path, generator)
    return path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, trace: Path) -> Path:
    return store(tmp_path_factory.mktemp("result") / "out", trace)


@pytest.fixture(scope="module")
def told(trace: Path) -> Told:
    brain = Overheard(NETWORK)
    record = run_of(brain, trace)[0]
    return Told(brain.kept, record.decisions)


class Overheard(ScriptedBrain):
    """Remembers, as they were, the records that it has kept."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.kept: list[PolicyRecord] = []

    def handle(self, event: Event) -> list[Command]:
        commands = super().handle(event)
        self.kept += [command.record for command in commands if isinstance(command, KeepRecord)]
        return commands


@dataclass(frozen=True)
class Told:
    policies: list[PolicyRecord]
    decisions: tuple[Decision, ...]


def explain(result: Path, *more: str, source: str = SOURCE, target: str = TARGET, brain: str = "scripted") -> int:
    return status(["policy", "explain", str(result), "--brain", brain, "--from", source, "--to", target, *more])


def document(capsys: pytest.CaptureFixture[str], result: Path, *more: str, **ends: str) -> dict[str, Any]:
    assert explain(result, "--json", *more, **ends) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    found: dict[str, Any] = json.loads(shown.out)
    return found


@pytest.mark.parametrize(
    ("source", "target"), [(SOURCE, TARGET), ("hill-health-1", "national-platform"), ("west-tax-1", "east-tax-1")]
)
def test_what_it_says_is_what_the_brain_had_kept(capsys, result, told, source, target) -> None:
    of = document(capsys, result, "--at", AT, source=source, target=target)
    at_ns = (datetime.fromisoformat(AT) - datetime(2026, 3, 17)) // timedelta(microseconds=1) * 1_000
    records = [record for record in told.policies if record.now_ns <= at_ns]
    record = records[-1]
    start = datetime(2026, 3, 17)
    assert of["policy"]["since"] == (start + timedelta(microseconds=record.now_ns // 1_000)).isoformat()
    assert of["policy"]["reason"] == record.reason.value
    assert of["policy"]["trust"] == "dynamic"
    ends = [NETWORK.node_index[name] for name in (source, target)]
    groups = [int(NETWORK.node_group[end]) for end in ends]
    paths = record.paths
    (pair,) = np.flatnonzero((paths.source == groups[0]) & (paths.target == groups[1])).tolist()
    rows = slice(paths.pair_start[pair], paths.pair_start[pair + 1])
    shares = record.weights[rows] / TICKETS
    assert sorted(way["share"] for way in of["ways"]) == sorted(shares.tolist())
    changed = [n for n, one in enumerate(records) if n and (one.weights[rows] != records[n - 1].weights[rows]).any()]
    since = start + timedelta(microseconds=records[changed[-1] if changed else 0].now_ns // 1_000)
    assert of["split"]["since"] == since.isoformat()
    mean = sum(way["share"] * way["delay_ns"] for way in of["ways"])
    assert of["split"]["delay_ns"] == pytest.approx(mean)
    for way in of["ways"]:
        names = [station["name"] for station in way["stations"]]
        assert (names[0], names[-1]) == (source, target)
        assert names[1].startswith(f"{source}>")
        assert f">{target}" in names[-2]
        indices = [NETWORK.station_name.index(name) for name in names]
        processing = NETWORK.node_process_station[NETWORK.node_process_station != NO_STATION]
        assert np.isin(indices, processing).sum() == 1
        assert way["lost"] == [
            name for name, station in zip(names, indices, strict=True) if not record.state.up[station]
        ]
        assert way["delay_ns"] == pytest.approx(sum(station["stay_ns"] for station in way["stations"]))
        assert (way["difference_ns"] is None) == bool(way["lost"])
        if not way["lost"]:
            assert way["difference_ns"] == pytest.approx(way["delay_ns"] - mean)
        busiest = max(way["stations"], key=lambda station: station["utilisation"])
        assert way["busiest"] == busiest["name"]
        ages = [station["age_s"] for station in way["stations"]]
        assert way["unseen"] == ages.count(None)
        assert way["oldest_s"] == max((age for age in ages if age is not None), default=None)
        for station, index in zip(way["stations"], indices, strict=True):
            near = max(of["policy"]["state_within"], 1e-2)
            assert abs(station["utilisation"] - record.state.utilisation[index]) <= 0.05 * near + 1e-3
            assert (station["age_s"] is None) == (record.state.observed_ns[index] < 0)


def test_at_every_instant_it_tells_the_shares_and_losses_of_then(result, told) -> None:
    """A pair whose shares change and whose ways lose stations meanwhile."""
    groups = [int(NETWORK.node_group[NETWORK.node_index[name]]) for name in (SOURCE, TARGET)]
    paths = told.policies[0].paths
    (pair,) = np.flatnonzero((paths.source == groups[0]) & (paths.target == groups[1])).tolist()
    rows = slice(paths.pair_start[pair], paths.pair_start[pair + 1])
    seen = set()
    for record in told.policies[:30]:
        at = datetime(2026, 3, 17) + timedelta(microseconds=record.now_ns // 1_000)
        of = explanation(result, "scripted", SOURCE, TARGET, at)
        shares = (record.weights[rows] / max(1, record.weights[rows].sum())).tolist()
        assert sorted(way.share for way in of.ways) == sorted(shares)
        for way in of.ways:
            down = [one.name for one in way.stations if not record.state.up[NETWORK.station_name.index(one.name)]]
            assert list(way.lost) == down
            assert (way.difference_ns is None) == bool(down or not sum(shares))
        seen.add((tuple(shares), any(way.lost for way in of.ways)))
    assert len({shares for shares, _ in seen}) > 1
    assert {lost for _, lost in seen} == {True, False}


def test_ways_in_use_come_first_then_alternatives_by_delay(capsys, result) -> None:
    ways = document(capsys, result, "--at", AT)["ways"]
    keys = [(-way["share"], bool(way["lost"]), way["delay_ns"]) for way in ways]
    assert len(ways) == 3
    assert keys == sorted(keys)


def test_decisions_around_are_those_that_name_the_pair_or_nothing_in_particular(capsys, result) -> None:
    surging = NETWORK.node_name[int(NETWORK.endpoints[0])]
    log = read_decisions(result, "scripted", 10**15)
    surge = next(one for one in log if one.kind == DecisionKind.SURGE_FOUND)
    at = (datetime(2026, 3, 17) + timedelta(seconds=surge.now_ns // SECOND_NS + 60)).isoformat()
    other = "hill-health-1" if surging != "hill-health-1" else "hill-health-2"
    with_it = document(capsys, result, "--at", at, source=surging, target=other)["decisions"]
    without = document(capsys, result, "--at", at, source=SOURCE, target=other)["decisions"]
    assert {one["kind"] for one in with_it} == {"surge-found", "routes-changed"}
    assert {one["kind"] for one in without} == {"routes-changed"}
    late = (datetime(2026, 3, 17) + timedelta(seconds=surge.now_ns // SECOND_NS + 4_000)).isoformat()
    kinds = [one["kind"] for one in document(capsys, result, "--at", late, source=surging, target=other)["decisions"]]
    assert kinds[0] == "surge-over"


def test_people_are_told_in_their_language(capsys, result, monkeypatch) -> None:
    assert explain(result, "--at", AT) == 0
    english = capsys.readouterr().out
    for words in ("policy in force", "Ways: in use", "what was known of its stations", "against the pair's mean"):
        assert words in english
    assert not any("一" <= letter <= "鿿" for letter in english)
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "zh")
    assert explain(result, "--at", AT) == 0
    chinese = capsys.readouterr().out
    for words in ("生效方案", "备选代价", "所知的服务站状态", "预期时延"):
        assert words in chinese


def test_without_an_instant_it_is_the_end_of_the_trace(capsys, result) -> None:
    assert document(capsys, result)["at"] == "2026-03-17T03:00:00"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "east-tax"}, "--from: must be the name of an endpoint; near ones: east-tax-2, east-tax-1"),
        ({"target": "east"}, "--to: must be the name of an endpoint; near ones: east-finance-1"),
        ({"target": "qqqq"}, "--to: must be the name of an endpoint (got 'qqqq')"),
        ({"target": SOURCE}, "--to: must be another endpoint than --from"),
        ({"brain": "ecmp"}, "--brain: must be one that kept records: scripted (got 'ecmp')"),
        ({"brain": "../x"}, "--brain: must be one that kept records: scripted"),
        ({"at": "2026-03-16T23:59"}, "--at: must lie in the run, 2026-03-17T00:00:00 - "),
        ({"at": "2027-03-16"}, "--at: must lie in the run"),
        ({"at": "noon"}, "--at: must be a local time such as 2026-03-17T10:05"),
        ({"at": "2026-03-17T01:00+08:00"}, "--at: must be a local time"),
    ],
)
def test_bad_input_gets_one_line_that_names_it(capsys, result, options, message) -> None:
    at = options.pop("at", AT) if "at" in options else AT
    assert explain(result, "--at", at, **{name: value for name, value in options.items() if name != "at"}) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert message in shown.err


def test_no_result_and_results_without_records_say_so(capsys, result, tmp_path) -> None:
    assert explain(tmp_path) == 2
    assert "run.json: file: must exist in a result folder" in capsys.readouterr().err
    old = Path(shutil.copytree(result, tmp_path / "old"))
    shutil.rmtree(old / "scripted" / "policy")
    (old / "scripted" / "decisions.parquet").unlink()
    stored = json.loads((old / "scripted" / "metrics.json").read_text(encoding="utf-8"))
    del stored["decisions"]
    (old / "scripted" / "metrics.json").write_text(json.dumps(stored), encoding="utf-8")
    assert explain(old) == 2
    assert "--brain: no brain kept records" in capsys.readouterr().err
    assert status(["report", str(old)]) == 0


def test_a_pair_without_ways_is_named(capsys, result, tmp_path) -> None:
    cut = Path(shutil.copytree(result, tmp_path / "cut"))
    group = int(NETWORK.node_group[NETWORK.node_index[SOURCE]])
    _change(cut, "paths", "source", lambda source: 0 if source == group else source)
    assert explain(cut) == 2
    assert f"must be a pair that the policies have ways for (got '{SOURCE} - {TARGET}')" in capsys.readouterr().err


def test_a_pair_that_uses_no_way_is_told_so(capsys, result, tmp_path) -> None:
    cut = Path(shutil.copytree(result, tmp_path / "cut"))
    _change(cut, "weights", "weight", lambda _: 0)
    of = document(capsys, cut)
    assert of["split"]["delay_ns"] is None
    assert [(way["share"], way["difference_ns"]) for way in of["ways"]] == [(0.0, None)] * 3
    assert explain(cut) == 0


def test_an_instant_before_the_first_policy_is_refused(capsys, result, tmp_path) -> None:
    cut = Path(shutil.copytree(result, tmp_path / "cut"))
    _change(cut, "records", "now_ns", lambda now_ns: max(now_ns, HOUR_NS))
    assert explain(cut, "--at", "2026-03-17T00:59:59") == 2
    assert "--at: must be no earlier than the first policy, 2026-03-17T01:00:00" in capsys.readouterr().err


def _change(folder: Path, name: str, column: str, change: Callable[[int], int]) -> None:
    path = folder / "scripted" / "policy" / f"{name}.parquet"
    table = pq.read_table(path)
    index = table.schema.get_field_index(column)
    field = table.schema.field(index)
    values = pa.array([change(value) for value in table.column(column).to_pylist()], field.type)
    pq.write_table(table.set_column(index, field, values), path)


def test_the_same_run_gives_the_same_result_to_the_byte(result, trace, tmp_path) -> None:
    again = store(tmp_path / "again", trace)
    files = [path.relative_to(result) for path in result.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"decisions.parquet", "records.parquet", "report.html"}
    for path in files:
        assert (result / path).read_bytes() == (again / path).read_bytes(), path
    before = (again / "report.html").read_bytes()
    assert status(["report", str(again)]) == 0
    assert (again / "report.html").read_bytes() == before


def test_a_replay_ends_with_a_table_of_decisions(told, trace) -> None:
    metrics = {
        brain.name: run_of(brain, trace)[1] for brain in (make_brain("ecmp", NETWORK, None), ScriptedBrain(NETWORK))
    }
    titles = [table.title for table in replay_tables(metrics)]
    assert "Decisions" in titles
    decided = replay_tables(metrics)[titles.index("Decisions")]
    rows = dict(zip(*(list(column.cells) for column in decided.columns), strict=True))
    found = [one for one in told.decisions if one.kind == DecisionKind.SURGE_FOUND]
    assert rows["Surge found"] == str(len(found))
    assert set(rows) == {"Surge found", "Surge over", "Routes changed", "surges noticed after, median"}
    assert "Decisions" not in [table.title for table in replay_tables({"ecmp": metrics["ecmp"]})]
