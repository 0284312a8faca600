"""The end of a night: gates, what benchmarks and soaks left, a line of history, and the page of all nights.

`python -m benchmarks.gates.nightly --history FILE`, or ``make nightly``, which soaks and benchmarks before.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.gates import history, trend_page
from benchmarks.gates.base import Base
from benchmarks.gates.gate import Report
from benchmarks.gates.records import Records
from benchmarks.gates.runner import GATES, lines, run_all
from benchmarks.gates.verdict import State
from exchange_router.provenance import commit

PAGE = "index.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """Sum a night up; returns 1 if anything failed in it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates.nightly", description=__doc__)
    parser.add_argument(
        "--history", type=Path, default=Path("build/trend/history.jsonl"), help="a line of JSON a night"
    )
    parser.add_argument("--bench", type=Path, default=Path("build/bench.json"), help="what `make bench` wrote")
    parser.add_argument("--soak", type=Path, default=Path("build/soak"), help="a folder of what soaks wrote")
    parser.add_argument("--failed", action="append", default=[], metavar="PART", help="a part of the night that failed")
    parser.add_argument("--page-only", action="store_true", help="remake the page from the history")
    given = parser.parse_args(arguments)
    failed: tuple[str, ...] = ()
    if not given.page_only:
        reports = run_all(GATES, Records(), Base())
        print("\n".join(lines(reports)))
        night = summed(reports, given.bench, given.soak, given.failed)
        history.append(given.history, night)
        failed = night.failed
    found = history.read(given.history)
    for text in found.broken:
        print(f"{given.history}: left out {text}", file=sys.stderr)
    if not found.nights:
        print(f"{given.history}: no night in it yet", file=sys.stderr)
        return 1
    again = f"python -m benchmarks.gates.nightly --page-only --history {given.history}"
    print(f"trend: {trend_page.write(given.history.parent / PAGE, found, again)}")
    return int(bool(failed))


def summed(reports: Sequence[Report], bench: Path, soak: Path, failed: Sequence[str]) -> history.Night:
    """Return the night: what is not there has no figures."""
    figures = history.gate_figures(reports)
    if bench.exists():
        figures |= history.bench_figures(json.loads(bench.read_text(encoding="utf-8")))
    figures |= history.soak_figures(soak)
    wrong = [
        f"gate {verdict.gate}: {verdict.figure}"
        for report in reports
        for verdict in report.verdicts
        if verdict.state is State.FAILED
    ]
    toolchain = {report.gate: report.toolchain for report in reports}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return history.Night(date, commit(), toolchain, figures, (*failed, *wrong))


if __name__ == "__main__":
    sys.exit(main())
