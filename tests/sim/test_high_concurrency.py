"""Ten times as many arrivals as usual for ten minutes: nothing is lost, queues drain, and no route flaps."""

from __future__ import annotations

import numpy as np
import pytest
from learnt_toy import Days, brain_of, hours, lived, toy
from watched_brain import Watched, check_laws, flaps

from router_core.units import HOUR_NS, MINUTE_NS
from strategies.decision import DecisionKind

NETWORK = toy().network
TIMES = 10.0
BEGIN, RUSH = 9.0, 9.25
DAYS = Days(0.5, 80_000)
CROWDED = Days(0.5, 80_000, (RUSH, RUSH + 1 / 6, TIMES))


@pytest.mark.parametrize("seed", [1, 2], ids=lambda seed: f"seed-{seed}-")
@pytest.mark.parametrize("name", ["dynamic", "probing"], ids=lambda name: f"brain-{name}")
def test_ten_times_the_arrivals_for_ten_minutes(name: str, seed: int) -> None:
    usual, crowded = (hours(BEGIN, 1.0, seed=seed, days=days) for days in (DAYS, CROWDED))
    watched = Watched(brain_of(name, BEGIN, DAYS), NETWORK)
    # Law 1: `lived` asserts that all is delivered.
    replay = lived(watched, crowded, seed=seed)
    plain = lived(brain_of(name, BEGIN, DAYS), usual, seed=seed)
    more = replay.metrics.counts.submitted / plain.metrics.counts.submitted
    # Ten of sixty minutes have ten times as many.
    assert more == pytest.approx(1 + (TIMES - 1) / 6, rel=0.25)
    check_laws(watched, NETWORK)
    assert flaps(watched) == []
    # What was too much is worked off, and no sooner than it can be; then nothing waits.
    rows = replay.stations
    waiting = np.bincount(rows.slot, rows.waiting)
    assert waiting.max() > 20, "queues were there"
    assert waiting[-1] == 0
    assert replay.metrics.ended_ns < 12 * HOUR_NS
    found = watched.of_kind(DecisionKind.SURGE_FOUND)
    in_time = [one for one in found if 15 * MINUTE_NS <= one.now_ns <= 22 * MINUTE_NS]
    assert in_time, "within minutes"
    assert watched.of_kind(DecisionKind.BULK_HELD)
