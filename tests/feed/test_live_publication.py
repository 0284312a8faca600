"""When a policy is published, against a plain statement of the rules."""

from __future__ import annotations

import random

import pytest

from feed.live.publication import Occasion, Publications, PublicationSetting
from router_core.errors import BadInputError
from router_core.units import DAY_NS, MINUTE_NS, SECOND_NS

SETTING = PublicationSetting()


@pytest.mark.parametrize("seed", range(20))
def test_a_change_is_published_and_nothing_lapses_while_the_centre_is_there(seed: int) -> None:
    draw = random.Random(seed)
    publications = Publications(SETTING)
    now_ns, key, planned = 10 * DAY_NS, "0", True
    last_ns, last_key, since_ns = None, None, now_ns
    for _ in range(3_000):
        now_ns += draw.choice((SECOND_NS, 10 * SECOND_NS, MINUTE_NS))
        if draw.random() < 0.02:
            key, planned = str(draw.randrange(3)), draw.random() < 0.3
            since_ns = now_ns
        occasion = publications.due(now_ns, key, as_planned=planned)
        if occasion is not None:
            assert last_ns is None or now_ns - last_ns >= SETTING.least_ns
            assert (occasion is Occasion.FIRST) == (last_ns is None)
            assert (occasion is Occasion.CHANGED) == (last_ns is not None and key != last_key)
            publications.done(now_ns, key)
            last_ns, last_key = now_ns, key
        # What agents have is the policy of now, but for as long as publications must lie apart.
        assert last_key == key or now_ns - since_ns <= SETTING.least_ns
        assert last_ns is not None
        lapses_ns = SETTING.hard_ns if planned else SETTING.soft_ns
        assert last_key != key or now_ns - last_ns < lapses_ns


def test_what_was_refused_is_tried_again_later_and_not_at_once() -> None:
    publications = Publications(SETTING)
    publications.done(DAY_NS, "a")
    now_ns = DAY_NS + SETTING.least_ns
    assert publications.due(now_ns, "b", as_planned=False) is Occasion.CHANGED
    publications.tried(now_ns)
    assert publications.due(now_ns + SETTING.least_ns - 1, "b", as_planned=False) is None
    assert publications.due(now_ns + SETTING.least_ns, "b", as_planned=False) is Occasion.CHANGED


def test_a_clock_set_back_makes_no_bundle_young() -> None:
    publications = Publications(SETTING)
    publications.done(DAY_NS, "a")
    assert publications.due(DAY_NS - 10 * MINUTE_NS, "a", as_planned=True) is Occasion.RENEWED


@pytest.mark.parametrize(
    ("name", "value"),
    [("least_ns", -1), ("renew_ns", 0), ("renew_ns", 15 * MINUTE_NS), ("soft_ns", 7 * DAY_NS), ("renew_plan_ns", 0)],
)
def test_a_rhythm_in_which_something_lapses_is_refused(name: str, value: int) -> None:
    with pytest.raises(BadInputError, match="publication"):
        PublicationSetting(**{name: value})
