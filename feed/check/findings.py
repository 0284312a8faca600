"""What a check of a policy finds: rule, place, value, limit, and what the operator does next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final


class Severity(StrEnum):
    """Whether a finding keeps a policy from being published."""

    REFUSE = "refuse"
    WARN = "warn"


class Rule(StrEnum):
    """What a policy must keep, in the order in which it is checked."""

    PLATFORM = "platform"
    ROUTE = "route"
    HOME = "home"
    LOOP = "loop"
    CENTRE = "centre"
    ZONE = "zone"
    COVERAGE = "coverage"
    SHARING = "sharing"
    RELATION = "relation"
    POOL = "pool"
    HOLD = "hold"
    SURVIVAL = "survival"
    CAPACITY = "capacity"
    FAILURE = "failure"
    CHANGE = "change"

    @property
    def next_en(self) -> str:
        """What the operator does next, in English."""
        return _NEXT[self][0]

    @property
    def next_zh(self) -> str:
        """What the operator does next, in Chinese."""
        return _NEXT[self][1]


# What a person may answer for; what is missing here would do harm whoever allows it.
ALLOWABLE: Final = frozenset({Rule.RELATION, Rule.SURVIVAL, Rule.CAPACITY, Rule.FAILURE, Rule.CHANGE})
_REBUILD: Final = ("build it anew from the plan for this scenario", "按此场景由计划重新构建")
_NEXT: Final[dict[Rule, tuple[str, str]]] = {
    Rule.PLATFORM: (
        "build it for the scenario in use, or check it against its own",
        "按所用场景重建，或对照其自身场景检查",
    ),
    Rule.ROUTE: _REBUILD,
    Rule.HOME: _REBUILD,
    Rule.LOOP: _REBUILD,
    Rule.CENTRE: _REBUILD,
    Rule.ZONE: _REBUILD,
    Rule.COVERAGE: ("build it anew with paths for every pair", "为所有节点对补齐路径后重建"),
    Rule.SHARING: (
        "build it anew with ways for these pairs, or join them by a line",
        "为这些节点对补齐路径后重建，或增设线路",
    ),
    Rule.RELATION: (
        "fit the brain anew by exchanges that the catalogue permits, or allow it",
        "按目录许可的交换重新学习，或以 --allow 放行",
    ),
    Rule.POOL: ("plan no more borrowed servers than the clouds' pools have", "借用的服务器不得超过云资源池"),
    Rule.HOLD: ("shorten the holds, or widen the guard hold_ns_max on purpose", "缩短延后时间，或有意放宽 hold_ns_max"),
    Rule.SURVIVAL: (
        "choose paths anew: the network has a way past this failure; or allow it",
        "重新选路：网络存在避开该故障的路径；或以 --allow 放行",
    ),
    Rule.CAPACITY: (
        "plan it anew with this forecast; where no split helps, more servers or a faster line do; or allow it",
        "按此预测重新规划；若分流无法缓解，则增加服务器或扩容线路；或以 --allow 放行",
    ),
    Rule.FAILURE: (
        "know what to hold back when it fails; where a better split is named, plan anew",
        "预先确定故障时延后哪些交换；若给出更优分流，则重新规划",
    ),
    Rule.CHANGE: ("publish the change in steps, or allow it if it is meant", "分步发布，或确属有意时以 --allow 放行"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that a policy does not keep.

    Attributes
    ----------
    rule : Rule
    severity : Severity
    place : str
        Where: a file's way, a station and a slot, a risk.
    said : str
        What is wrong there, in a sentence without a full stop.
    value, limit : float or None
        Figure found and the one it should keep to, where there are such.
    pairs : tuple of (str, str)
        Which groups of endpoints it concerns, source and target by name.
    """

    rule: Rule
    severity: Severity
    place: str
    said: str
    value: float | None = None
    limit: float | None = None
    pairs: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {
            "rule": self.rule.value,
            "severity": self.severity.value,
            "place": self.place,
            "said": self.said,
            "value": self.value,
            "limit": self.limit,
            "pairs": [list(pair) for pair in self.pairs],
            "next": self.rule.next_en,
        }


@dataclass(frozen=True)
class PolicyFindings:
    """All that a check found, what keeps it from being published first, then by rule, the gravest first.

    Attributes
    ----------
    findings : tuple of Finding
    notes : tuple of str
        What was not checked and why, and what checks went by.
    """

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the policy must not be published."""
        return any(one.severity is Severity.REFUSE for one in self.findings)

    def of(self, *rules: Rule) -> tuple[Finding, ...]:
        """Return the findings of some rules."""
        return tuple(one for one in self.findings if one.rule in rules)

    def counts(self) -> dict[tuple[Rule, Severity], int]:
        """Return how many findings each rule has, in order of the rules."""
        counted = Counter((one.rule, one.severity) for one in self.findings)
        order = list(Rule)
        return {key: counted[key] for key in sorted(counted, key=lambda key: (key[1], order.index(key[0])))}

    def summary(self) -> str:
        """Return one line for a log."""
        parts = [f"{count} {rule.value} ({severity.value})" for (rule, severity), count in self.counts().items()]
        return f"{'refused' if self.refused else 'passed'}: {', '.join(parts) or 'nothing found'}"

    def document(self) -> dict[str, Any]:
        """Return everything as JSON's types."""
        return {
            "refused": self.refused,
            "counts": [
                {"rule": rule.value, "severity": severity.value, "findings": count}
                for (rule, severity), count in self.counts().items()
            ],
            "findings": [one.document() for one in self.findings],
            "notes": list(self.notes),
        }


def gathered(findings: Iterable[Finding], notes: Iterable[str], allowed: frozenset[Rule]) -> PolicyFindings:
    """Sort findings; what is allowed becomes a warning."""
    order = list(Rule)
    told = [
        replace(one, severity=Severity.WARN, said=f"{one.said} (allowed)")
        if one.rule in allowed and one.severity is Severity.REFUSE
        else one
        for one in findings
    ]
    told.sort(key=lambda one: (one.severity, order.index(one.rule), -(one.value or 0.0), one.place))
    return PolicyFindings(tuple(told), tuple(notes))
