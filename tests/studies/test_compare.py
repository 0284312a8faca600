"""`compare` on the toy province: the same bytes whoever works, arms that meet the same world, and an honest verdict."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from learnt_toy import hours
from tuned_toy import minutes, toy_brain

import scenarios
from exchange_router import provenance
from exchange_router.main import status
from router_core.errors import BadInputError
from router_core.units import MINUTE_NS
from sim.replay import live
from sim.report.blocks import Words
from sim.studies.comparison import compare as compare_module
from sim.studies.comparison.arms import Shared, arms_of
from sim.studies.comparison.compare import Compared, CompareOrder, Replications, compare
from sim.studies.comparison.precision import Precision
from sim.studies.comparison.study import found_of, study_folder
from sim.studies.comparison.tails import EDGES_NS
from sim.studies.comparison.warm_up import warm_ups
from sim.studies.comparison.words import verdict_of
from sim.studies.measures import MEASURES, measures
from sim.studies.paired import each_of, effect, interval
from sim.studies.seeds import seeds_of
from sim.studies.study import StudyFolder, is_study, read_study
from sim.studies.traffic import Draw, Traffic
from sim.workers import open_workers
from strategies.registry import make_brain
from traces.reader import TraceReader

FAULT = """
schema = 1
[[faults]]
kind = "slow"
node = "province/process"
from = 0
factor = 500.0
"""
MORNING = Draw(datetime(2026, 3, 9, 9), timedelta(minutes=6), exchanges_per_day=40_000)


def order_of(*texts: str, **changes: Any) -> CompareOrder:
    """Arms on six minutes of the toy's morning."""
    order = CompareOrder(
        scenario="toy",
        arms=arms_of(["ecmp", "shortest-path"] if not texts else [], texts, Shared()),
        traffic=Traffic(draw=MORNING),
        measures=("p99.all",),
        replications=Replications(3, 3),
        seed=5,
    )
    return replace(order, **changes)


def compared_by(workers: str, order: CompareOrder, folder: Path) -> Compared:
    with open_workers(workers) as many:
        return compare(order, many, folder, lambda *_: None)


def folder_of(compared: Compared) -> StudyFolder:
    return study_folder(compared, {"command": "exchange-router compare"}, Words("Toy", "玩具"))


def content(compared: Compared) -> list[object]:
    """All that a study's folder says."""
    made = folder_of(compared)
    tables = {name: table.to_pydict() for name, table in made.tables.items()}
    return [made.study.model_dump_json(), made.page.model_dump_json(), repr(tables)]


@pytest.fixture(scope="module")
def order() -> CompareOrder:
    return order_of()


@pytest.fixture(scope="module")
def compared(order: CompareOrder, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    return compared_by("here", order, tmp_path_factory.mktemp("traces"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_same_bytes_whoever_works(workers: str, order: CompareOrder, compared: Compared, tmp_path: Path) -> None:
    assert content(compared_by(workers, order, tmp_path)) == content(compared)


def test_values_are_those_of_plain_replays(compared: Compared, tmp_path: Path) -> None:
    again = compared_by("here", replace(compared.order, replications=Replications(1, 1)), tmp_path)
    one, toy = again.replications[0], scenarios.load("toy")
    assert len(again.replications) == 1
    for place, name in enumerate(("ecmp", "shortest-path")):
        lived = live(toy, one.traces[place], make_brain(name, toy.network), seed=one.seed)
        for warm_up_ns, found in ((again.warm_up_ns, again), (compared.warm_up_ns, compared)):
            for key, value in measures(lived, warm_up_ns).items():
                np.testing.assert_equal(found.values[key][place, 0], value)
        # Tails, counted one by one.
        submitted_ns, took_ns = lived.record.exchanges.submitted_ns, lived.done.took_ns
        rows = lived.done.delivered & (submitted_ns >= again.warm_up_ns)
        assert again.tails["all"][place, 0] == rows.sum()
        for edge in range(0, len(EDGES_NS), 17):
            assert again.tails["all"][place, 1 + edge] == (took_ns[rows] > EDGES_NS[edge]).sum()
        modes = sum(again.tails[mode][place] for mode in ("docking", "front_end", "query", "batch"))
        np.testing.assert_array_equal(modes, again.tails["all"][place])


def test_arms_share_traces_and_seeds_and_each_replication_has_its_own(compared: Compared) -> None:
    assert len({one.seed for one in compared.replications}) == 3
    assert len({one.digests for one in compared.replications}) == 3
    for one in compared.replications:
        assert one.traces[0] == one.traces[1]
    # The seeds of fewer are the first of those of more.
    assert seeds_of(5, 3) == seeds_of(5, 9)[:3] == tuple(one.seed for one in compared.replications)
    assert len(set(seeds_of(5, 200))) == 200
    assert seeds_of(6, 3) != seeds_of(5, 3)


def test_arms_that_do_the_same_are_the_same_under_every_seed(tmp_path: Path) -> None:
    # A pool that lends nothing to a brain that asks for nothing.
    order = order_of("brain=ecmp", 'brain=ecmp change="pools x2"', replications=Replications(2, 2))
    found = compared_by("here", order, tmp_path)
    for name in MEASURES:
        np.testing.assert_array_equal(found.values[name][0], found.values[name][1])
    assert "have the same p99 of all exchanges under every seed" in verdict_of(found).text.en
    assert verdict_of(found).good is None


def test_more_demand_is_drawn_with_the_same_seed_and_takes_longer(tmp_path: Path) -> None:
    order = order_of("brain=ecmp", 'brain=ecmp change="demand x2"', measures=("mean.all",))
    found = compared_by("here", order, tmp_path)
    for one in found.replications:
        assert one.digests[0] != one.digests[1]
        rows = [TraceReader(path).rows for path in one.traces]
        assert 1.5 < rows[1] / rows[0] < 2.5
    assert found.effects["mean.all"][0] is not None
    assert (found.tails["all"][1, 0] > 1.5 * found.tails["all"][0, 0]).all()


def test_statistics_are_of_the_values(compared: Compared) -> None:
    base, other = compared.values["p99.all"]
    assert compared.effects["p99.all"] == (effect(base, other, 0.95),)
    assert compared.warm_up_ns in warm_ups(6 * MINUTE_NS)
    assert compared.warm_up_found
    made = folder_of(compared)
    runs = made.tables["runs"].to_pylist()
    assert len(runs) == 2 * 3 * len(MEASURES)
    row = next(one for one in runs if (one["arm"], one["replication"], one["measure"]) == (1, 2, "p99.all"))
    assert (row["label"], row["seed"], row["value"]) == ("shortest-path", compared.replications[2].seed, other[2])
    differences = {one["measure"]: one for one in made.tables["differences"].to_pylist()}
    asked = differences["p99.all"]
    assert asked["asked"]
    assert asked["difference"] == pytest.approx((other - base).mean())
    assert asked["change"] == pytest.approx(np.expm1(np.log(other / base).mean()))
    assert not differences["churn"]["asked"]
    assert made.study.seeds == [one.seed for one in compared.replications]


def test_several_measures_hold_together(tmp_path: Path, compared: Compared) -> None:
    order = replace(compared.order, measures=("p99.all", "mean.all"))
    found = compared_by("here", order, tmp_path)
    level = each_of(0.95, 2)
    for name in order.measures:
        assert found.effects[name] == (effect(*found.values[name], level),)
    assert found.effects["p50.all"] == (effect(*found.values["p50.all"], 0.95),)
    assert "95 % for all together" in verdict_of(found).text.en


@pytest.mark.parametrize("seed", range(2))
def test_as_many_replications_as_the_precision_takes(seed: int, tmp_path: Path) -> None:
    wanted = Precision(0.6, relative=True)
    order = order_of(measures=("mean.all",), replications=Replications(2, 15, wanted), seed=seed, warm_up_ns=0)
    found = compared_by("here", order, tmp_path)
    count = len(found.replications)
    one = found.effects["mean.all"][0]
    assert one is not None
    assert found.pilot == 2
    logs = np.log(found.values["mean.all"][1] / found.values["mean.all"][0])
    estimate = interval(logs, 0.95, 2)
    assert estimate.half_width is not None
    assert one.change is not None
    assert math.log1p(one.change.value) == pytest.approx(estimate.value)
    assert found.precise == (estimate.half_width <= wanted.half_width)
    assert found.precise or count == 15
    # One less would not have done, unless the pilot did.
    assert count == 2 or estimate.half_width * math.sqrt(count / (count - 1)) > wanted.half_width
    # What was lived first is what is lived when nothing more is asked for.
    pilot = compared_by("here", replace(order, replications=Replications(2, 2)), tmp_path)
    for name in MEASURES:
        np.testing.assert_array_equal(found.values[name][:, :2], pilot.values[name])


def test_a_precision_out_of_reach_ends_at_the_most_and_is_said(tmp_path: Path) -> None:
    order = order_of(replications=Replications(2, 4, Precision(1e-6, relative=True)))
    found = compared_by("here", order, tmp_path)
    assert (len(found.replications), found.precise) == (4, False)
    assert "wider than wanted" in verdict_of(found).text.en
    assert found_of(found)["precision_reached"] is False


def test_one_seed_proves_nothing(tmp_path: Path) -> None:
    found = compared_by("here", order_of(replications=Replications(1, 1)), tmp_path)
    verdict = verdict_of(found)
    assert verdict.text.en.startswith("one seed proves nothing")
    assert (verdict.confidence, verdict.good) == (None, None)
    assert folder_of(found).page.blocks


def test_brains_from_files_borrow_and_move_traffic_about(tmp_path: Path) -> None:
    texts = ["brain=ecmp", f"brain=dynamic prepared={toy_brain(tmp_path)}"]
    order = order_of(*texts, traffic=Traffic(traces=(minutes(),)), replications=Replications(1, 1))
    found = compared_by("here", order, tmp_path)
    assert found.values["churn"][0, 0] == found.values["capacity"][0, 0] == 0.0
    assert found.values["churn"][1, 0] > 0.0
    assert found_of(found)["arms"][1]["setting"]["busy"] > 0.0


def test_faults_are_of_their_arm(tmp_path: Path) -> None:
    (tmp_path / "slow.toml").write_text(FAULT, encoding="utf-8")
    order = order_of("brain=ecmp", f"brain=ecmp faults={tmp_path / 'slow.toml'}", measures=("mean.all",))
    found = compared_by("here", order, tmp_path)
    assert (found.values["mean.all"][1] > found.values["mean.all"][0]).all()
    (tmp_path / "slow.toml").write_text(FAULT.replace("from = 0", "from = 400"), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"slow\.toml"):
        compared_by("here", order, tmp_path)


def test_given_traces_are_taken_in_turn(tmp_path: Path) -> None:
    traces = (hours(9.0, 0.05), hours(9.0, 0.05, seed=8))
    order = order_of(traffic=Traffic(traces=traces), warm_up_ns=MINUTE_NS)
    found = compared_by("here", order, tmp_path)
    assert [one.traces[0] for one in found.replications] == [traces[0], traces[1], traces[0]]
    assert (found.warm_up_ns, found.warm_up_found) == (MINUTE_NS, False)
    assert "on 2 traces" in verdict_of(found).text.en
    # The world around the same trace is another under another seed.
    assert found.values["mean.all"][0, 0] != found.values["mean.all"][0, 2]


def test_what_cannot_be_compared_is_refused_before_anything_is_lived(tmp_path: Path) -> None:
    trace, longer = hours(9.0, 0.05), replace(MORNING, span=timedelta(minutes=1))
    more = order_of("brain=ecmp", 'brain=ecmp change="demand x2"', traffic=Traffic(traces=(trace,)))
    with pytest.raises(BadInputError, match="drawn traffic"):
        compared_by("here", more, tmp_path)
    with pytest.raises(BadInputError, match="--warm-up-s"):
        compared_by("here", order_of(traffic=Traffic(draw=longer), warm_up_ns=MINUTE_NS), tmp_path)
    with pytest.raises(BadInputError, match="change"):
        compared_by("here", order_of("brain=ecmp", 'brain=ecmp change="magic x2"'), tmp_path)
    elsewhere = order_of("brain=ecmp", f"brain=static prepared={toy_brain(tmp_path)}", traffic=Traffic(draw=MORNING))
    (tmp_path / "new").mkdir()
    with pytest.raises(BadInputError, match="must be made for the network of scenario jiangxi"):
        compared_by("here", replace(elsewhere, scenario="jiangxi"), tmp_path / "new")
    assert not list((tmp_path / "new").iterdir()), "nothing is drawn"
    (tmp_path / "broken.parquet").write_bytes(b"no trace")
    with pytest.raises(BadInputError, match=r"broken\.parquet"):
        compared_by("here", order_of(traffic=Traffic(traces=(tmp_path / "broken.parquet",))), tmp_path)
    with pytest.raises(BadInputError, match="--measure"):
        order_of(measures=("p98.query",))
    with pytest.raises(BadInputError, match="repeated"):
        order_of(measures=("churn", "churn"))
    with pytest.raises(BadInputError, match="--seeds-min"):
        Replications(1, 5, Precision(0.1, relative=True))
    with pytest.raises(BadInputError, match="--seeds-max"):
        Replications(5, 4, Precision(0.1, relative=True))


def test_without_queries_the_verdict_speaks_of_all(
    compared: Compared, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = compare_module.measures

    def no_queries(*arguments: Any) -> dict[str, float]:
        return {name: math.nan if name.endswith(".query") else value for name, value in plain(*arguments).items()}

    by_default = replace(compared.order, measures=(), replications=Replications(2, 2))
    assert compared_by("here", by_default, tmp_path).measures == ("p99.query",)
    monkeypatch.setattr(compare_module, "measures", no_queries)
    assert compared_by("here", by_default, tmp_path).measures == ("p99.all",)
    asked = compared_by("here", replace(by_default, measures=("p99.query",)), tmp_path)
    assert "cannot be compared" in verdict_of(asked).text.en
    assert verdict_of(asked).confidence is None
    assert folder_of(asked).page.blocks


def made_up(compared: Compared, ratio: float, *, noise: float = 0.01, lost: float = 0.0) -> Compared:
    """The same comparison with other values: the second arm so many times the first."""
    base = np.array([1e9, 2e9, 5e8, 1.5e9, 3e9, 1e9])
    swing = np.exp(noise * np.array([1, -1, 1, -1, 1, -1]))
    missing = np.array([0.0, 1, 0, 2, 1, 0])
    gone = effect(missing, missing + lost * np.array([1, 1, 2, 1, 1, 2]), 0.95)
    assert gone is not None
    one = effect(base, ratio * base * swing, 0.95)
    replications = tuple(replace(compared.replications[0], seed=seed) for seed in range(6))
    return replace(compared, effects={**compared.effects, "p99.all": (one,)}, lost=(gone,), replications=replications)


@pytest.mark.parametrize(
    ("ratio", "noise", "en", "zh", "good"),
    [
        (0.5, 0.01, "shortest-path halves p99 of all exchanges against ecmp: -50.0 % [", "减半", True),
        (0.8, 0.1, "shortest-path lowers p99 of all exchanges against ecmp: -20 % [-29, -10]", "降低", True),
        (1.3, 0.01, "shortest-path raises p99 of all exchanges against ecmp: +30.0 % [", "升高", False),
        (2.0, 0.01, "shortest-path doubles p99 of all exchanges against ecmp: +100 % [", "翻倍", False),
        (
            1.01,
            0.5,
            "no difference can be told between shortest-path and ecmp in p99 of all exchanges: ",
            "看不出差异",
            None,
        ),
    ],
)
def test_the_verdict_in_words(
    compared: Compared, ratio: float, noise: float, en: str, zh: str, good: bool | None
) -> None:
    verdict = verdict_of(made_up(compared, ratio, noise=noise))
    assert verdict.text.en.startswith(en)
    assert verdict.text.en.endswith("], 6 seeds, 95 %")
    assert zh in verdict.text.zh
    assert (verdict.good, verdict.confidence) == (good, 0.95)


def test_who_is_faster_because_it_loses_more_is_not_called_better(compared: Compared) -> None:
    verdict = verdict_of(made_up(compared, 0.5, lost=100.0))
    assert "but shortest-path delivers 133 exchanges a run fewer" in verdict.text.en
    assert verdict.good is None


def test_many_arms_are_summed_up(tmp_path: Path) -> None:
    texts = [f'brain=ecmp change="lines x{factor}"' for factor in (2, 3, 4)]
    order = order_of("brain=ecmp", *texts, 'brain=ecmp change="lines x0.5"', replications=Replications(2, 2))
    found = compared_by("here", order, tmp_path)
    text = verdict_of(found).text.en
    assert "of 4 arms do better than ecmp" in text
    assert "95 % for all together" in text


@pytest.fixture
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


WORDS = ["compare", "--scenario", "toy", "--brain", "ecmp", "--brain", "shortest-path", "--workers", "here"]
DRAWN = ["--start", "2026-03-09T09:00", "--hours", "0.1", "--exchanges-per-day", "40000"]


@pytest.mark.usefixtures("english")
def test_the_command_writes_a_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "commit", lambda: "unknown")  # a checkout may change while tests run
    out = tmp_path / "compared"
    words = [*WORDS, *DRAWN, "--seeds", "2", "--out", str(out)]
    assert status([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    study, page = read_study(out)
    assert document["verdict"] == study.verdict.model_dump(mode="json") == page.verdict.model_dump(mode="json")
    assert document["found"] == study.found
    assert study.kind == "compare"
    assert study.tables == ["differences", "runs", "tails"]
    assert len(study.seeds) == 2
    assert pq.read_table(out / "runs.parquet").num_rows == 2 * 2 * len(MEASURES)
    assert (out / "report.html").is_file()
    # Drawn traces do not stay, nor does anything else.
    assert [one.name for one in tmp_path.iterdir()] == ["compared"]
    before = {one.name: one.read_bytes() for one in out.iterdir()}
    assert status([*words, "--work", str(tmp_path / "kept")]) == 0
    shown = capsys.readouterr()
    assert "shortest-path against ecmp, 2 seeds" in shown.out
    assert study.verdict.text.en in shown.err
    assert {one.name: one.read_bytes() for one in out.iterdir()} == before
    assert len(list((tmp_path / "kept").iterdir())) == 2


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (DRAWN, "--out"),
        ([], "--trace"),
        ([*DRAWN, "--seeds-max", "5"], "--seeds-max: must go with --precision"),
        ([*DRAWN, "--seeds", "5", "--precision", "5%"], "--seeds: either it or --precision"),
        ([*DRAWN, "--precision", "fine"], "--precision: must be such as 5%"),
        ([*DRAWN, "--precision", "20", "--measure", "missed.all", "--measure", "p99.all"], "--precision"),
        ([*DRAWN, "--measure", "speed"], "--measure: must be one of"),
        ([*DRAWN, "--warm-up-s", "-1"], "--warm-up-s"),
        ([*DRAWN, "--warm-up-s", "nan"], "--warm-up-s"),
        ([*DRAWN, "--confidence", "1"], "--confidence"),
        ([*DRAWN, "--arm", "brain=ecmp"], "--arm: no two arms may be the same"),
        ([*DRAWN, "--workers", "many"], "--workers"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = [] if said == "--out" else ["--out", str(tmp_path / "out")]
    assert status([*WORDS, *words, *out]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not is_study(tmp_path / "out")


@pytest.mark.usefixtures("english")
def test_help_is_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["compare", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Compare brains" in shown
    assert "对比" in shown
    assert "--precision" in shown
