"""Parts of `tune`: the front, the rule of pruning, the choice, the score, ranges, and what is searched."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from router_core.errors import BadInputError
from router_core.randomness import stream
from sim.brain_setting import setting_of, stated
from sim.studies.tuning.domination import clearly_dominated, front, rungs
from sim.studies.tuning.importance import importances
from sim.studies.tuning.journal import Values
from sim.studies.tuning.objectives import changes, chosen_objectives, robust
from sim.studies.tuning.parameters import PARAMETERS, chosen_parameters, defaults, rounded
from sim.studies.tuning.search import BATCH, Trial, search
from sim.studies.tuning.winner import KNEE, Effect, Wish, beats, choose, effects, front_of
from strategies.dynamic.setting import DynamicSetting

TWO = ("p99.query", "churn")
SEEDS = range(4)


def better(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("trials", "objectives"), [(1, 1), (2, 3), (40, 1), (60, 2), (60, 4)])
def test_the_front_is_what_brute_force_finds(trials: int, objectives: int, seed: int) -> None:
    # Few different values, so that many are equal.
    values = stream(seed, "front").integers(6, size=(trials, objectives)).astype(float)
    expected = [not any(better(other, one) for other in values) for one in values]
    assert front(values).tolist() == expected
    assert any(expected)


@given(st.integers(1, 40))
def test_rungs_hold_each_scene_once_in_order(scenes: int) -> None:
    cut = list(rungs(scenes))
    assert [scene for rung in cut for scene in rung] == list(range(scenes))
    # Work before each look is at most doubled.
    assert all(len(rung) <= max(1, rung.start) for rung in cut)


class Made:
    """Scenes in which settings keep their order: each multiplies what a setting is worth by something of its own."""

    def __init__(self, scenes: int, seed: int) -> None:
        self.factor = np.exp(stream(seed, "scenes").normal(size=(scenes, 2)))
        self.lived: list[tuple[DynamicSetting, int]] = []

    def values(self, setting: DynamicSetting, scene: int) -> Values:
        far = (setting.busy - 0.6) ** 2 * 9 + (setting.step_max - 0.3) ** 2
        moved = (setting.gain_min - 0.2) ** 2 + max(0.0, setting.busy - 0.7)
        found = np.array([1e9 * (1 + far), 1 + 5 * moved]) * self.factor[scene]
        return {"p99.query": float(found[0]), "churn": float(found[1])}

    def live_all(self, wanted: list[tuple[DynamicSetting, int]]) -> list[Values]:
        self.lived += wanted
        return [self.values(*one) for one in wanted]

    def whole(self, trial: Trial) -> NDArray[np.float64]:
        """What a trial is worth over all scenes, whether it was pruned or not."""
        scenes = range(len(self.factor))
        return robust(
            np.array([changes(TWO, self.values(trial.setting, s), self.values(DynamicSetting(), s)) for s in scenes])
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_pruning_leaves_the_front_of_all_trials_as_it_is(seed: int) -> None:
    made = Made(5, seed)
    trials = search(chosen_parameters(["busy", "step_max", "gain_min"]), TWO, 5, 60, made.live_all, seed=seed)
    pruned = [one for one in trials if one.pruned]
    assert len(trials) == 61
    assert pruned, "a rule that prunes nothing proves nothing"
    assert len(made.lived) == sum(len(one.found) for one in trials) < 61 * 5
    every = front(np.array([made.whole(one) for one in trials]))
    assert [one.number for one, stays in zip(trials, every, strict=True) if stays] == [
        one.number for one in front_of(trials)
    ]
    for one in pruned:
        assert any(not other.pruned and better(made.whole(other), made.whole(one)) for other in trials)


@pytest.mark.parametrize("seed", SEEDS)
def test_whoever_is_pruned_was_behind_on_every_scene(seed: int) -> None:
    random = stream(seed, "scenes of their own")
    for _ in range(200):
        complete = random.integers(-3, 4, size=(3, 4, 2)) * 0.03
        seen = random.integers(-3, 4, size=(random.integers(1, 4), 2)) * 0.03
        named = [other for other in complete if (seen >= other[: len(seen)]).all()]
        expected = any(
            all(seen[scene, j] - other[scene, j] > 0.02 for scene in range(len(seen)))
            for other in named
            for j in range(2)
        )
        assert clearly_dominated(seen, complete) == expected


def test_equal_seeds_propose_alike_and_the_first_proposals_do_not_depend_on_how_many_follow() -> None:
    parameters = chosen_parameters([])
    few, many, other = (
        search(parameters, TWO, 2, trials, Made(2, 1).live_all, seed=seed)
        for trials, seed in ((3 * BATCH, 5), (4 * BATCH, 5), (3 * BATCH, 6))
    )
    assert [one.parameters for one in few] == [one.parameters for one in many[: len(few)]]
    assert [one.parameters for one in few[1:]] != [one.parameters for one in other[1:]]
    assert few[0].setting == DynamicSetting()
    for one in many:
        assert setting_of(one.parameters) == one.setting
        assert all(p.low <= one.parameters[p.name] <= p.high for p in parameters)


def test_a_search_finds_what_is_better() -> None:
    made = Made(2, 0)
    trials = search(chosen_parameters(["busy", "step_max"]), TWO, 2, 60, made.live_all, seed=3)
    best = choose(trials, Wish.of_texts(TWO, None, ()))
    usual = 9 * (0.75 - 0.6) ** 2 + (0.5 - 0.3) ** 2
    assert best.values[0] < -0.8 * math.log1p(usual), "most of what there is to gain"


# The choice.


def trial(number: int, values: list[float], *, pruned: bool = False) -> Trial:
    return Trial(number, {}, DynamicSetting(), ({},), np.array([values]), pruned)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("prefer", TWO)
def test_the_winner_is_the_best_of_those_that_are_allowed(prefer: str, seed: int) -> None:
    values = stream(seed, "choice").normal(scale=0.2, size=(40, 2))
    trials = [trial(0, [0.0, 0.0])]
    trials += [trial(n, one.tolist(), pruned=n % 5 == 0) for n, one in enumerate(values, 1)]
    wish = Wish.of_texts(TWO, prefer, ["churn=0.1", "p99.query=0"])
    place = TWO.index(prefer)
    limit = math.log(1.1) if prefer == "p99.query" else 0.0
    allowed = [one for one in trials if not one.pruned and one.values[1 - place] <= limit]
    best = choose(trials, wish)
    assert best in allowed
    assert best.values[place] == min(one.values[place] for one in allowed)
    assert best.values[place] <= 0.0


def test_the_defaults_win_where_nothing_is_better() -> None:
    trials = [trial(0, [0.0, 0.0]), trial(1, [-0.5, 0.2]), trial(2, [0.0, -0.5]), trial(3, [-0.9, 0.0], pruned=True)]
    assert choose(trials, Wish.of_texts(TWO, "p99.query", ())).number == 0


def test_the_knee_is_near_to_the_best_of_both() -> None:
    trials = [trial(0, [0.0, 0.0]), trial(1, [-1.0, 1.0]), trial(2, [-0.9, 0.05]), trial(3, [0.1, 0.1])]
    assert choose(trials, Wish.of_texts(TWO, KNEE, ())).number == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_effects_are_those_of_a_paired_t_interval(seed: int) -> None:
    changed = stream(seed, "effects").normal(-0.1, 0.1, size=(6, 2))
    for column, found in zip(changed.T, effects(TWO, changed), strict=True):
        interval = stats.ttest_1samp(column, 0.0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((math.expm1(interval.low), math.expm1(interval.high)))
        assert found.low <= found.change <= found.high


@pytest.mark.parametrize(
    ("first", "second", "prefer", "won"),
    [
        ((-0.2, -0.1), (-0.1, 0.1), "p99.query", True),
        ((-0.2, 0.01), (-0.1, 0.1), "p99.query", False),
        ((-0.2, -0.1), (0.06, 0.1), "p99.query", False),
        ((-0.2, -0.1), (0.04, 0.1), "p99.query", True),
        ((-0.1, 0.1), (-0.2, -0.1), "p99.query", False),
        ((-0.1, 0.1), (-0.2, -0.1), KNEE, True),
    ],
)
def test_a_winner_is_better_beyond_doubt_and_spoils_nothing(
    first: tuple[float, float], second: tuple[float, float], prefer: str, won: bool
) -> None:
    found = [Effect(name, sum(span) / 2, *span) for name, span in zip(TWO, (first, second), strict=True)]
    assert beats(Wish.of_texts(TWO, prefer, ()), found) is won


def test_what_matters_is_told_by_the_importances() -> None:
    parameters = chosen_parameters(["busy", "settle_s", "drain_s"])
    random = stream(1, "importance")
    trials = []
    for number in range(60):
        values = rounded(parameters, {p.name: random.uniform(p.low, p.high) for p in parameters})
        worth = np.array([[values["busy"], 1.0]])
        trials.append(Trial(number, values, setting_of(values), ({},), worth, pruned=False))
    first, second = importances(trials, parameters, TWO, seed=1)
    assert first["busy"] > 0.9
    assert first["settle_s"] < 0.1
    assert set(second.values()) == {0.0}
    assert importances(trials, parameters, TWO, seed=1) == [first, second]
    assert set(importances(trials[:3], parameters, TWO, seed=1)[0].values()) == {0.0}


# What is searched.


def test_every_range_holds_its_default_and_means_something() -> None:
    usual = stated(DynamicSetting())
    for one in PARAMETERS:
        assert one.low <= usual[one.name] <= one.high
        assert one.low > 0.0 or not one.log
        for end in (one.low, one.high):
            assert stated(setting_of({one.name: end}))[one.name] == pytest.approx(end)
    assert defaults(PARAMETERS) == {one.name: usual[one.name] for one in PARAMETERS}


@given(st.data())
def test_rounding_stays_within_the_range(data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(PARAMETERS))
    ends = sorted(data.draw(st.lists(st.floats(one.low, one.high), min_size=2, max_size=2)))
    narrow = replace(one, low=ends[0], high=ends[1])
    value = data.draw(st.floats(narrow.low, narrow.high))
    assert narrow.low <= rounded([narrow], {one.name: value})[one.name] <= narrow.high


def test_parameters_are_chosen_and_narrowed() -> None:
    assert chosen_parameters([]) == PARAMETERS
    busy, settle = chosen_parameters(["busy=0.6..0.9", "settle_s"])
    assert (busy.name, busy.low, busy.high, busy.log) == ("busy", 0.6, 0.9, False)
    assert settle in PARAMETERS


@pytest.mark.parametrize(
    "texts",
    [
        ["bussy"],
        ["busy", "busy=0.6..0.9"],
        ["busy="],
        ["busy=0.6"],
        ["busy=0.9..0.6"],
        ["busy=0.6..0.6"],
        ["busy=nan..0.9"],
        ["busy=0.5..inf"],
        ["busy=0.5..1.5"],
        ["gain_min=0..0.5"],
        ["pairs_max"],
    ],
)
def test_parameters_that_make_no_sense_are_refused_by_name(texts: list[str]) -> None:
    with pytest.raises(BadInputError, match="--parameter") as caught:
        chosen_parameters(texts)
    assert texts[-1] in str(caught.value)


@pytest.mark.parametrize(
    ("prefer", "allow"),
    [
        ("missed.all", ()),
        ("kneee", ()),
        (None, ("churn",)),
        (None, ("churn=-1",)),
        (None, ("churn=nan",)),
        (None, ("missed.all=1",)),
        (None, ("churn=0.1", "churn=0.2")),
        (None, ("churn=1e9",)),
    ],
)
def test_wishes_that_make_no_sense_are_refused(prefer: str | None, allow: tuple[str, ...]) -> None:
    with pytest.raises(BadInputError, match="--prefer" if prefer else "--allow"):
        Wish.of_texts(TWO, prefer, allow)


def test_objectives_are_measures_named_once() -> None:
    assert chosen_objectives([]) == ("p99.query", "missed.all", "churn", "capacity")
    for names in (["p99"], ["churn", "churn"]):
        with pytest.raises(BadInputError, match="--objective"):
            chosen_objectives(names)


def test_changes_are_even_handed_and_bounded() -> None:
    for one, other in product((0.0, 1.0, 250.0), repeat=2):
        there = changes(["missed.all"], {"missed.all": one}, {"missed.all": other})
        back = changes(["missed.all"], {"missed.all": other}, {"missed.all": one})
        assert there[0] == pytest.approx(-back[0])
    assert changes(["missed.all"], {"missed.all": 3.0}, {"missed.all": 0.0})[0] == pytest.approx(math.log(4))
    assert changes(["p99.query"], {"p99.query": None}, {"p99.query": 1e9}) == (10.0,)
    with pytest.raises(BadInputError, match=r"p99\.query"):
        changes(["p99.query"], {"p99.query": 1e9}, {"p99.query": None})


def test_half_the_mean_and_half_the_worst() -> None:
    assert robust(np.array([[0.0, 1.0], [-0.2, 3.0]])).tolist() == pytest.approx([-0.05, 2.5])
