"""Peak memory of one fixed job [bytes], run by path: `python memory_work.py JOB FOLDER` prints it as JSON.

The job's inputs lie in FOLDER, made beforehand (`make`), so that making them is not in the peak. A child's `ru_maxrss`
would begin at what its parent had before the program was replaced; what the process itself says does not.
"""

# ruff: noqa: ARG001, PLC0415 - each part imports what it needs, and no more
from __future__ import annotations

import json
import re
import resource
import sys
from datetime import datetime, timedelta
from pathlib import Path

BEGIN = datetime(2026, 3, 17, 9)
DAY = "day.parquet"
POLICY = "policy"


def make(folder: Path) -> None:
    """Make what jobs read: an hour of the province under a trace generator."""
    import scenarios
    from traces.generate import TraceGenerator, write_trace

    made = TraceGenerator(
        scenarios.load("jiangxi"), start=BEGIN, span=timedelta(hours=1), seed=3, exchanges_per_day=1_000_000
    )
    write_trace(folder / DAY, made)
    (folder / POLICY).write_bytes(_policy())


def start(folder: Path) -> None:
    """The command line's help."""
    from exchange_router.main import status

    assert status(["--help"]) == 0


def scenario(folder: Path) -> None:
    """The province, built."""
    import scenarios

    assert scenarios.load("jiangxi").network.station_count > 1_000


def replay(folder: Path) -> None:
    """An hour of the province, replayed on the compiled plane under `ecmp`."""
    import scenarios
    from sim.replay import replay as replay_trace
    from strategies.registry import make_brain

    platform = scenarios.load("jiangxi")
    found = replay_trace(platform, folder / DAY, make_brain("ecmp", platform.network), seed=1)
    assert found.metrics.counts.delivered == found.metrics.counts.submitted > 10_000


def history(folder: Path) -> None:
    """The same hour, read as a history."""
    import scenarios
    from traces.history import read_history

    read = read_history([folder / DAY], scenarios.load("jiangxi"), until=BEGIN + timedelta(hours=1))
    assert read.exchanges.sum() > 10_000


def bundle(folder: Path) -> None:
    """A policy of the province, read from its bundle and looked up."""
    from feed.bundle.archive import unpack
    from feed.bundle.parsed import parse

    parsed = parse(unpack((folder / POLICY).read_bytes()))
    assert len(parsed.routes) > 0


def _policy() -> bytes:
    from datetime import UTC

    from feed_bundles import drawn_classes
    from feed_workloads import GUARDS, moved, planned
    from made_plans import drawn_plan

    import scenarios
    from feed.bundle.archive import pack
    from feed.bundle.compose import PolicyContent, compose
    from feed.bundle.manifest import make_bundle

    network, created = scenarios.load("jiangxi").network, datetime(2026, 3, 16, 2, tzinfo=UTC)
    plan = planned(drawn_plan(network, 5, begin=datetime(2026, 3, 16), slots=24, classes=3))
    files = compose(network, PolicyContent(plan, drawn_classes(network, 1), moved(plan, 100), None), GUARDS, created)
    made = make_bundle(
        files, epoch=1, created=created, valid_from=created, soft_expiry=created + timedelta(hours=1),
        hard_expiry=created + timedelta(days=7), topology=network.digest, scenario="any", inputs={}, provenance={},
    )  # fmt: skip
    return pack(made)


def peak_bytes() -> int:
    """Most memory that this process has had, as far as it was resident."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found.group(1)) * 1024


JOBS = {job.__name__: job for job in (make, start, scenario, replay, history, bundle)}


def main(job: str, place: str) -> None:
    """Do one job, and print its peak; `make` makes what the others read."""
    folder = Path(place)
    out, sys.stdout = sys.stdout, sys.stderr
    JOBS[job](folder)
    print(json.dumps(peak_bytes()), file=out)


if __name__ == "__main__":
    main(*sys.argv[1:])
