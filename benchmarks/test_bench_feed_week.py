"""A week of a simulated province behind the real server and agents over loopback HTTP, at the rhythm of `serve`."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from learnt_toy import TODAY, Days, brain_of, days_on, learnt, lived, toy

from exchange_router.rehearsal import rehearse
from feed.live.publication import PublicationSetting
from feed.live.recording import read_recording
from feed.live.rerun import rerun
from router_core.units import MINUTE_NS
from sim.telemetry import TelemetryConfig
from sim.world import WorldConfig

# Surges that nobody forecast, so that there is something to publish.
SURGES = ("emergency@2026-03-09T10:00x6", "deadline@2026-03-12T15:00x3")
DAYS = Days(0.5, 40_000)


@dataclass(frozen=True)
class Size:
    days: float
    period_ns: int
    surges: tuple[str, ...]


SIZES = {
    "small": Size(0.5 / 24, MINUTE_NS, ()),
    "week": Size(7.0, 5 * MINUTE_NS, SURGES),
}


@pytest.mark.parametrize("size", ["small", pytest.param("week", marks=pytest.mark.heavy)])
def test_a_week_behind_the_feed(benchmark, tmp_path, size: str) -> None:
    of = SIZES[size]
    trace = days_on(of.days, seed=11, days=DAYS, surges=of.surges)
    config = WorldConfig(telemetry=TelemetryConfig(period_ns=of.period_ns))
    plain = lived(brain_of("dynamic", 0), trace, config=config)
    found = []

    def run() -> None:
        found.append(
            rehearse(
                toy(),
                learnt(),
                trace,
                TODAY,
                tmp_path,
                config=config,
                publication=PublicationSetting(),
                at_once=False,
                records=tmp_path / "records",
            )
        )

    began = time.perf_counter()
    benchmark.pedantic(run, rounds=1, iterations=1)
    took_s = time.perf_counter() - began
    (behind,) = found
    counts = behind.replay.metrics.counts
    assert counts.submitted == counts.delivered == plain.metrics.counts.delivered > 0
    assert not behind.refused
    assert behind.published >= of.days
    (recording,) = (tmp_path / "records").iterdir()
    assert rerun(read_recording(recording), toy().network, brain_of("dynamic", 0)).difference is None
    told = {name: one.metrics.completion.all for name, one in (("plain", plain), ("feed", behind.replay))}
    benchmark.extra_info |= {
        "goal": "feed.week",
        "value": took_s,
        "published": behind.published,
        "applied": behind.applied,
        "requests": behind.requests,
        "exchanges": counts.submitted,
        "p99_s": {name: one.p99_ns and one.p99_ns / 1e9 for name, one in told.items()},
        "missed": {name: one.deadline_missed for name, one in told.items()},
    }
