"""Law 9: behind the real server and real agents, over HTTP, the world comes to the very same figures."""

from __future__ import annotations

import pytest
from learnt_toy import at, brain_of, hours, learnt, lived, toy

from exchange_router.rehearsal import rehearse
from feed.live.publication import PublicationSetting
from feed.live.recording import read_recording
from feed.live.rerun import rerun
from router_core.units import MINUTE_NS
from sim.faults import Fault, FaultKind

NETWORK = toy().network
LINE = tuple(int(station) for station in NETWORK.line_station[NETWORK.line_carrier >= 0][:2])
STOPPED = (Fault(FaultKind.STOP, LINE, 17 * MINUTE_NS, 22 * MINUTE_NS),)
BEGIN = 9.75
SURGE = ("emergency@2026-03-09T10:00x8",)


@pytest.mark.parametrize(
    ("brain", "faults", "published"),
    [("static", (), 1), ("dynamic", STOPPED, 20)],
    ids=["static", "dynamic-through-a-surge-and-a-cut"],
)
def test_every_figure_is_that_of_the_plain_replay(tmp_path, brain, faults, published) -> None:
    trace = hours(BEGIN, 5 / 12, surges=SURGE)
    plain = lived(brain_of(brain, BEGIN), trace, faults=faults)
    behind = rehearse(
        toy(), learnt(), trace, at(BEGIN), tmp_path, brain=brain, faults=faults, records=tmp_path / "records"
    )
    assert behind.replay.metrics == plain.metrics
    assert not behind.refused
    assert behind.published >= published
    assert behind.applied == behind.published * len(NETWORK.endpoints), "every agent had every bundle in force"
    assert behind.replay.decisions == plain.decisions
    (recording,) = (tmp_path / "records").iterdir()
    again = rerun(read_recording(recording), NETWORK, brain_of(brain, BEGIN))
    assert again.difference is None
    assert again.commands > 0


def test_stage_by_stage_and_once_a_minute_everything_is_delivered(tmp_path) -> None:
    trace = hours(BEGIN, 5 / 12, surges=SURGE)
    behind = rehearse(toy(), learnt(), trace, at(BEGIN), tmp_path, publication=PublicationSetting(), at_once=False)
    counts = behind.replay.metrics.counts
    assert counts.submitted == counts.delivered > 0
    assert behind.published > 1
