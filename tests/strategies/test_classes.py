"""Demand classes: found where they are, the same from the same seed, and honest where there is little to see."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from made_history import BEATS, NIGHT, OFFICE, REPORTS, MadeClass, made_history
from made_networks import exchanges
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

import scenarios
from router_core.demand_history import SIZE_BINS, DemandHistory
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import Mode, TaskKind
from strategies.classes.class_model import ClassModel
from strategies.classes.demand_clusters import DemandClusters
from strategies.classes.drift import drift_of
from strategies.classes.fit import fit_classes
from strategies.classes.group_scaler import GroupScaler
from strategies.classes.policy import ClassFacts, policy_of


@pytest.fixture(scope="module")
def network() -> Network:
    return scenarios.load("jiangxi").network


@pytest.fixture(scope="module")
def model(network: Network) -> ClassModel:
    return fit_classes(made_history().history, network, seed=1)


def same(a: ClassModel, b: ClassModel) -> bool:
    (first, arrays), (second, others) = a.parts(), b.parts()
    return (
        first == second
        and arrays.keys() == others.keys()
        and all(
            array.dtype == others[name].dtype and array.tobytes() == others[name].tobytes()
            for name, array in arrays.items()
        )
    )


def finite(model: ClassModel) -> bool:
    shown = [model.confidence, model.level, *vars(model.likelihood).values(), *(one.profile for one in model.classes)]
    return all(np.isfinite(values).all() for values in shown) and all(
        one.policy.hold_max_ns >= 0 and np.isfinite([one.mean_bytes, one.exchanges_share, one.bytes_share]).all()
        for one in model.classes
    )


@pytest.mark.parametrize("by", ["relation", "pair"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_made_classes_are_found(network: Network, seed: int, by: str) -> None:
    made = made_history(seed=seed)
    model = fit_classes(made.history, network, seed=seed, by=by)
    assert len(model.classes) == 4
    assert model.stability >= 0.99
    assert adjusted_rand_score(made.true, model.relation_class) >= 0.99
    assert model.confidence.min() > 0.5
    assert [one.classes for one in model.counts] == list(range(2, 15))
    assert sum(one.relations for one in model.classes) == len(made.true)
    assert sum(one.exchanges_share for one in model.classes) == pytest.approx(1)
    assert [one.exchanges_share for one in model.classes] == sorted(
        (one.exchanges_share for one in model.classes), reverse=True
    )


def test_classes_have_names_that_a_person_understands(model: ClassModel) -> None:
    names = {one.name for one in model.classes}
    assert names == {
        "nightly-file-synchronisation",
        "office-hours-queries",
        "month-end-reports",
        "round-the-clock-docking-synchronisation",
    }
    for one in model.classes:
        assert one.title_en
        assert one.description_en.endswith(".")
        assert all(any("\u4e00" <= char <= "\u9fff" for char in text) for text in (one.title_zh, one.description_zh))


def test_twins_are_told_apart(network: Network) -> None:
    small = replace(OFFICE, digits=8, lead_s=1, priority=5)
    large = replace(OFFICE, digits=20, lead_s=600, priority=3)
    classes = fit_classes(made_history((small, OFFICE, large, BEATS)).history, network).classes
    assert len(classes) == 4
    assert len({one.name for one in classes}) == len({one.title_zh for one in classes}) == 4


def test_effects_of_the_calendar_are_measured(model: ClassModel) -> None:
    reports = next(one for one in model.classes if one.name == "month-end-reports")
    assert reports.effects["month_end"] == pytest.approx(6.0, rel=0.1)
    assert reports.effects["weekend"] == pytest.approx(0.2, rel=0.1)
    assert np.isnan(reports.effects["yearly"])
    office = next(one for one in model.classes if one.name == "office-hours-queries")
    assert office.effects["month_end"] == pytest.approx(1.0, rel=0.1)
    assert office.profile.mean() == pytest.approx(1)
    assert office.profile[:24].nonzero()[0].tolist() == [9, 10, 11, 14, 15, 16]


def test_effects_that_never_stand_alone_are_not_counted_twice(network: Network) -> None:
    # All month-ends of these weeks lie in the rush of yearly reports.
    rushing = replace(REPORTS, month_end=2.0, yearly=10.0)
    made = made_history((rushing, NIGHT), start=date(2026, 1, 5), days=56, each=20)
    reports = next(one for one in fit_classes(made.history, network).classes if one.name.endswith("reports"))
    assert reports.effects["yearly"] == pytest.approx(10.0, rel=0.1)
    assert reports.effects["month_end"] == pytest.approx(2.0, rel=0.1)


def test_thin_relations_join_by_likelihood(network: Network) -> None:
    thin = replace(NIGHT, per_day=0.2), replace(OFFICE, per_day=0.2)
    made = made_history((NIGHT, OFFICE, REPORTS, *thin))
    true = np.array([0, 1, 2, 0, 1])[made.true]
    model = fit_classes(made.history, network, seed=1)
    assert np.median(made.history.totals()[made.true >= 3]) < 20
    assert adjusted_rand_score(true, model.relation_class) >= 0.97


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_seeds_give_equal_models_whatever_the_threads(network: Network, seed: int) -> None:
    history = made_history(seed=seed).history
    found = fit_classes(history, network, seed=seed)
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            assert same(fit_classes(history, network, seed=seed), found)


@pytest.mark.parametrize("names_seed", [1, 2])
def test_who_is_called_what_does_not_matter(network: Network, names_seed: int) -> None:
    def by_amount(history: DemandHistory, model: ClassModel) -> NDArray[np.int16]:
        return model.relation_class[np.lexsort((history.totals(of_bytes=True), history.totals()))]

    first, second = made_history().history, made_history(names_seed=names_seed).history
    labels = [by_amount(history, fit_classes(history, network, seed=3)) for history in (first, second)]
    assert np.array_equal(np.sort(first.totals()), np.sort(second.totals()))
    assert adjusted_rand_score(*labels) >= 0.99


def test_round_trip_through_json(model: ClassModel) -> None:
    document, arrays = model.parts()
    stored = json.loads(json.dumps(document, allow_nan=False))
    again = ClassModel.from_parts(stored, {name: array.copy() for name, array in arrays.items()})
    assert same(again, model)
    history = made_history(seed=5).history
    assert all(np.array_equal(a, b) for a, b in zip(again.assign(history), model.assign(history), strict=True))


@pytest.mark.parametrize(
    ("name", "spoilt", "words"),
    [
        ("source", None, "classes.source: must be there"),
        ("confidence", np.zeros(3, np.float32), "classes.confidence: must have shape"),
        ("level", np.zeros(9), "classes.level: must have a row for each of 4 classes"),
        ("relation_class", np.full(160, 4, np.int16), "classes.relation_class: must lie in 0..3"),
    ],
)
def test_parts_that_do_not_fit_are_refused(model: ClassModel, name: str, spoilt: object, words: str) -> None:
    document, arrays = model.parts()
    wrong = {key: array for key, array in arrays.items() if key != name}
    if spoilt is not None:
        wrong[name] = spoilt  # type: ignore[assignment]
    with pytest.raises(BadInputError, match=words):
        ClassModel.from_parts(document, wrong)
    with pytest.raises(BadInputError, match="document of demand classes"):
        ClassModel.from_parts({}, arrays)


def test_exchanges_have_the_class_of_their_relation(model: ClassModel) -> None:
    rows = np.random.default_rng(1).integers(0, len(model.source), 5_000)
    columns = {name: getattr(model, name)[rows] for name in ("mode", "kind", "priority")}
    batch = exchanges(np.arange(5_000), model.source[rows], model.target[rows], 1, **columns)
    assert np.array_equal(model.classify(batch), model.relation_class[rows])
    assert len(model.classify(batch[:0])) == 0


def test_unknown_relations_fall_back(model: ClassModel) -> None:
    def class_of(source: int, mode: Mode, kind: TaskKind, priority: int) -> str:
        batch = exchanges([0], [source], [1], 1, mode=mode, kind=kind, priority=priority)
        return model.classes[int(model.classify(batch)[0])].name

    for stranger in (50, 5_000, 2**31 - 1):
        assert class_of(stranger, Mode.QUERY, TaskKind.EXCHANGE, 0) == "office-hours-queries"
        # Nobody queries at this priority: the mode alone decides.
        assert class_of(stranger, Mode.QUERY, TaskKind.SYNC, 7) == "office-hours-queries"
        assert class_of(stranger, Mode.FRONT_END, TaskKind.EXCHANGE, 0) == "nightly-file-synchronisation"


def test_nodes_beyond_those_of_the_model_are_unknown(model: ClassModel) -> None:
    nodes = 1 + int(max(model.source.max(), model.target.max()))
    ways = model.mode, model.kind, model.priority
    found = model.find(model.source - 1, model.target + nodes, *ways)
    assert (found == -1).all()
    assert (model.find(model.source + 1, model.target - nodes, *ways) == -1).all()
    assert np.array_equal(model.find(model.source, model.target, *ways), np.arange(len(model.source)))


def test_an_unknown_mode_is_of_the_largest_class(network: Network) -> None:
    model = fit_classes(made_history((OFFICE, replace(NIGHT, per_day=10))).history, network)
    batch = exchanges([0], [3], [1], 1, mode=Mode.BATCH, priority=2)
    assert model.classes[int(model.classify(batch)[0])].name == "office-hours-queries"


@pytest.mark.parametrize(("name", "value"), [("mode", 4), ("kind", -1), ("priority", 8)])
def test_ways_that_are_none_are_refused(model: ClassModel, name: str, value: int) -> None:
    with pytest.raises(BadInputError, match=f"{name}: must lie in"):
        model.classify(exchanges([0], [3], [1], 1, **{name: value}))


def test_new_relations_are_assigned_by_what_they_do(model: ClassModel) -> None:
    made = made_history(seed=9, names_seed=5, days=14)
    label, confidence = model.assign(made.history)
    assert adjusted_rand_score(made.true, label) >= 0.99
    assert confidence.min() > 0.5
    title = {index: one.name for index, one in enumerate(model.classes)}
    assert {title[value] for value in label[made.true == 0].tolist()} == {"nightly-file-synchronisation"}


def test_relations_without_exchanges_are_assigned_by_their_ways(model: ClassModel) -> None:
    made = made_history(days=14)
    silent = replace(
        made.history,
        hour_start=np.zeros_like(made.history.hour_start),
        relation=made.history.relation[:0],
        exchanges=made.history.exchanges[:0],
        payload_bytes=made.history.payload_bytes[:0],
        relations=replace(made.history.relations, size_count=np.zeros((len(made.true), SIZE_BINS), np.int64)),
    )
    label, confidence = model.assign(silent)
    assert np.array_equal(label, model.assign(made.history)[0])
    assert np.isfinite(confidence).all()


def test_mix_of_nodes_and_pairs(model: ClassModel) -> None:
    history = made_history().history
    for by in ("node", "pair"):
        mix = model.mix(by)  # type: ignore[arg-type]
        assert mix.share.sum(axis=1) == pytest.approx(np.ones(len(mix.source)))
        times = 2 if by == "node" else 1
        assert mix.exchanges.sum() == times * history.exchanges.sum()
    node = int(mix.source[0])
    nodes = model.mix("node")
    mine = (model.source == node) | (model.target == node)
    row = int(np.flatnonzero(nodes.source == node)[0])
    for index in range(4):
        wanted = history.totals()[mine & (model.relation_class == index)].sum() / history.totals()[mine].sum()
        assert nodes.share[row, index] == pytest.approx(wanted, abs=1e-6)
    with pytest.raises(BadInputError, match="by: must be node or pair"):
        model.mix("unit")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_no_drift_where_there_is_none(model: ClassModel, seed: int) -> None:
    # Another month with another holiday, at the same laws.
    report = drift_of(model, made_history(seed=seed, start=date(2026, 4, 27), days=21).history)
    assert not report.moved
    assert (len(report.new), len(report.vanished)) == (0, 0)
    assert report.texts_en == report.texts_zh == ()


def test_planted_drift_is_found(model: ClassModel) -> None:
    later = replace(OFFICE, hours=(18, 19, 20, 21, 22))
    more = replace(NIGHT, per_day=90.0)
    made = made_history((more, later, REPORTS, BEATS), seed=3, start=date(2026, 4, 13), days=14)
    report = drift_of(model, made.history)
    by_name = {about.name: one for about, one in zip(model.classes, report.classes, strict=True)}
    assert by_name["nightly-file-synchronisation"].level == pytest.approx(1.5, rel=0.05)
    assert by_name["nightly-file-synchronisation"].level_moved
    assert not by_name["nightly-file-synchronisation"].shape_moved
    assert by_name["office-hours-queries"].shape_moved
    for name in ("month-end-reports", "round-the-clock-docking-synchronisation"):
        assert not by_name[name].level_moved
        assert not by_name[name].shape_moved
    assert len(report.texts_en) == len(report.texts_zh) >= 2
    assert "1.5" in " ".join(report.texts_en)


def test_drift_names_who_changed_came_and_went(model: ClassModel) -> None:
    made = made_history(seed=4, days=28)
    # What was nightly becomes like a heartbeat, in hours and sizes, for five relations.
    beating = made_history((BEATS,) * 4, seed=4, days=28).history
    changed = np.flatnonzero(made.true == 0)[:5]
    history = swapped(made.history, beating, changed)
    report = drift_of(model, history)
    assert report.changed.tolist() == changed.tolist()
    assert {model.classes[index].name for index in report.changed_from} == {"nightly-file-synchronisation"}
    assert {model.classes[index].name for index in report.changed_to} == {"round-the-clock-docking-synchronisation"}
    strangers = made_history(seed=4, names_seed=8, days=28)
    report = drift_of(model, strangers.history)
    known = set(zip(model.source.tolist(), model.target.tolist(), strict=True))
    new = [pair not in known for pair in pairs(strangers.history)]
    assert len(report.new) >= sum(new)
    assert len(report.vanished) >= sum(new)
    assert any("new" in text for text in report.texts_en)


def swapped(history: DemandHistory, other: DemandHistory, relations: NDArray[np.intp]) -> DemandHistory:
    """The history with some relations' rows, sizes and times taken from another."""
    taken = np.zeros(len(history.relations), dtype=np.bool_)
    taken[relations] = True
    kept, new = ~taken[history.relation], taken[other.relation]
    hour = np.concatenate([history.hour_of_row()[kept], other.hour_of_row()[new]])
    relation = np.concatenate([history.relation[kept], other.relation[new]])
    order = np.lexsort((relation, hour))
    sizes = np.where(taken[:, None], other.relations.size_count, history.relations.size_count)
    return replace(
        history,
        relations=replace(history.relations, size_count=sizes),
        hour_start=np.searchsorted(hour[order], np.arange(history.hours + 1)).astype(np.int64),
        relation=relation[order],
        exchanges=np.concatenate([history.exchanges[kept], other.exchanges[new]])[order],
        payload_bytes=np.concatenate([history.payload_bytes[kept], other.payload_bytes[new]])[order],
    )


def pairs(history: DemandHistory) -> list[tuple[int, int]]:
    return list(zip(history.relations.source.tolist(), history.relations.target.tolist(), strict=True))


@pytest.mark.parametrize(
    "classes",
    [
        pytest.param((MadeClass(tuple(range(24))),), id="constant"),
        pytest.param((OFFICE,), id="one-class"),
    ],
)
def test_what_is_alike_is_one_class(network: Network, classes: tuple[MadeClass, ...]) -> None:
    model = fit_classes(made_history(classes, each=40).history, network)
    assert len(model.classes) == 1
    assert finite(model)
    assert (model.confidence == 1).all()


@pytest.mark.parametrize("each", [1, 2, 7])
def test_few_relations(network: Network, each: int) -> None:
    model = fit_classes(made_history((NIGHT,), each=each).history, network)
    assert (len(model.classes), model.counts, model.stability) == (1, (), 1.0)
    assert finite(model)


@pytest.mark.parametrize("days", [1, 2, 8])
def test_short_histories(network: Network, days: int) -> None:
    made = made_history(days=days)
    model = fit_classes(made.history, network)
    assert finite(model)
    assert adjusted_rand_score(made.true, model.relation_class) > 0.9


def test_holes_in_the_history(network: Network) -> None:
    observed = np.random.default_rng(1).random(42 * 24) < 0.6
    made = made_history(observed=observed)
    model = fit_classes(made.history, network)
    assert adjusted_rand_score(made.true, model.relation_class) > 0.97
    reports = next(one for one in model.classes if one.name == "month-end-reports")
    assert reports.effects["month_end"] == pytest.approx(6.0, rel=0.15)


def test_relations_that_exchanged_nothing_take_part(network: Network) -> None:
    history = made_history(days=42).history.part(0, 24)
    silent = fit_classes(history.part(0, 24), network)
    assert len(silent.relation_class) == len(history.relations)
    assert finite(silent)


def test_histories_that_say_too_little_are_refused(network: Network) -> None:
    history = made_history((BEATS,)).history
    with pytest.raises(BadInputError, match=r"every hour of the day at least once, missing hours .*\[20, 21, 22, 23\]"):
        fit_classes(history.part(0, 20), network)
    with pytest.raises(BadInputError, match="history: must have an exchange"):
        fit_classes(history.part(0, 0), network)
    with pytest.raises(BadInputError, match="by: must be relation or pair"):
        fit_classes(history, network, by="node")
    with pytest.raises(BadInputError, match="nodes of the network"):
        fit_classes(history, scenarios.load("toy").network)


def facts(mode: Mode, lead_s: int, digits: int, *, priority: int = 2, other: float = 0.0) -> ClassFacts:
    share = np.zeros(4)
    share[mode] = 1 - other
    share[Mode.DOCKING] += other
    sizes = np.zeros(SIZE_BINS)
    sizes[digits] = 100
    return ClassFacts(share, priority, np.array([lead_s * SECOND_NS if lead_s >= 0 else -1]), np.array([100.0]), sizes)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("lead_s", [-1, 5, 900, 1_800, 3_600, 21_600, 10**6])
@pytest.mark.parametrize("digits", [1, 12, 19, 24, 30])
def test_only_bulk_with_time_is_held_back(mode: Mode, lead_s: int, digits: int) -> None:
    policy = policy_of(facts(mode, lead_s, digits))
    bulk = mode in (Mode.BATCH, Mode.FRONT_END) and digits >= 19
    assert policy.deferrable == (bulk and (lead_s < 0 or lead_s >= 1_800))
    assert (policy.hold_max_ns > 0) == policy.deferrable
    if policy.deferrable and lead_s >= 0:
        left = lead_s * SECOND_NS - policy.hold_max_ns
        assert left >= max(10 * MINUTE_NS, lead_s * SECOND_NS // 4)
    assert policy.hold_max_ns <= 6 * HOUR_NS
    assert policy.chunk_bytes == 0 or 2**18 <= policy.chunk_bytes <= 2**22
    assert policy.priority == 2


def test_a_class_that_is_not_all_bulk_is_not_held_back() -> None:
    assert policy_of(facts(Mode.BATCH, 3_600, 24)).deferrable
    assert not policy_of(facts(Mode.BATCH, 3_600, 24, other=0.1)).deferrable


def test_a_hundredth_of_hasty_exchanges_does_not_decide() -> None:
    about = facts(Mode.BATCH, 3_600, 24)
    lead_ns = np.array([3_600, 60]) * SECOND_NS
    assert policy_of(replace(about, lead_ns=lead_ns, exchanges=np.array([1_000.0, 5.0]))).deferrable
    assert not policy_of(replace(about, lead_ns=lead_ns, exchanges=np.array([1_000.0, 50.0]))).deferrable


# scikit-learn says by a warning which of its checks do not apply.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    @parametrize_with_checks([DemandClusters(random_state=0), GroupScaler()])
    @pytest.mark.filterwarnings("ignore")
    def test_estimators_keep_the_conventions(estimator: object, check: object) -> None:
        check(estimator)  # type: ignore[operator]


def test_groups_weigh_what_is_stated() -> None:
    values = np.random.default_rng(1).normal(size=(500, 6)) * [1, 2, 3, 100, 0.1, 1e-3] + 5
    scaler = GroupScaler(["a", "a", "a", "b", "b", "c"], {"a": 1.0, "b": 4.0, "c": 1.0}, ("b",))
    scaled = scaler.fit_transform(values)
    length = (scaled**2).mean(axis=0)
    assert length[:3].sum() == pytest.approx(1.0)
    assert length[3:5] == pytest.approx([2.0, 2.0])
    # What hardly differs counts hardly.
    assert length[5] == pytest.approx((1e-3 / 0.05) ** 2, rel=0.2)


def test_outliers_are_no_structure() -> None:
    values = np.random.default_rng(1).normal(size=(400, 6))
    values[7] += 100
    assert DemandClusters(random_state=1).fit(values).n_clusters_ == 1


def test_no_structure_is_one_cluster() -> None:
    values = np.random.default_rng(1).normal(size=(400, 6))
    found = DemandClusters(random_state=1).fit(values)
    assert found.n_clusters_ == 1
    assert max(count.stability for count in found.counts_) < 0.9


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_largest_stable_number_is_taken(seed: int) -> None:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(6, 4)) * 20
    true = random.integers(0, 6, 600)
    found = DemandClusters(random_state=seed).fit(centres[true] + random.normal(size=(600, 4)))
    assert found.n_clusters_ == 6
    assert adjusted_rand_score(true, found.labels_) == 1
    assert np.array_equal(found.predict(centres[true]), found.labels_)
    assert found.stability_ == {count.classes: count.stability for count in found.counts_}[6]
