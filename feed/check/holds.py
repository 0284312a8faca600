"""How long tasks may wait under a policy."""

from __future__ import annotations

from collections.abc import Iterator

from feed.bundle.parsed import Parsed
from feed.check.findings import Finding, Rule, Severity
from router_core.units import SECOND_NS


def longest_holds(parsed: Parsed) -> dict[str, int]:
    """Longest hold [ns] of each place that says one: classes in the release plan, groups in the dynamic layer."""
    release = parsed.release
    found = {}
    for entry, runs in zip(parsed.classes.classes, release.hold, strict=True):
        used = [lag for _, weights in runs for lag, weight in zip(release.lag_ns, weights, strict=True) if weight > 0]
        found[f"release plan of class {entry.name}"] = max(used)
    names = [group.name for group in parsed.platform.groups]
    for group, now in sorted(parsed.now.items()):
        if now.holds:
            found[f"dynamic layer of {names[group]}"] = max(max(hold, last) for _, hold, last in now.holds)
    return found


def check_holds(parsed: Parsed) -> Iterator[Finding]:
    """Tell holds that are longer than the policy's own guard, by which front-ends would refuse it."""
    limit = parsed.guards.hold_ns_max
    for place, hold_ns in longest_holds(parsed).items():
        if hold_ns > limit:
            said = "holds tasks for longer [s] than the guard allows, and front-ends would refuse it"
            yield Finding(Rule.HOLD, Severity.REFUSE, place, said, hold_ns / SECOND_NS, limit / SECOND_NS)
