"""What a check goes by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feed.check.findings import ALLOWABLE, Rule, Severity
from router_core.errors import BadInputError
from router_core.units import HOUR_NS


@dataclass(frozen=True)
class CheckSetting:
    """Limits of a check; the defaults are meant to be left alone.

    Attributes
    ----------
    quantile : float
        Of the courses of demand, which load of each station counts, in (0, 1].
    utilisation_max, failure_max : float
        How busy a station may be without a failure, and after a single one, > 0.
    failure_severity : Severity
        What it means if a failure makes a station busier. Losing a carrier may ask for more than any split can give.
    slots : int
        How many slots are looked at closely, >= 1.
    compared : int
        Of how many failures the best split is worked out to compare with, >= 0.
    moved_share_max : float
        Share of all weight that may move against the active policy, in [0, 1].
    hold_growth_ns_max : int
        By how much the longest hold may grow against the active policy [ns], >= 0.
    allowed : frozenset of Rule
        Rules that somebody answers for: what breaks them is told, and does not refuse. Only some can be.
    """

    quantile: float = 0.95
    utilisation_max: float = 0.95
    failure_max: float = 1.0
    failure_severity: Severity = Severity.WARN
    slots: int = 3
    compared: int = 2
    moved_share_max: float = 0.25
    hold_growth_ns_max: int = 2 * HOUR_NS
    allowed: frozenset[Rule] = frozenset()

    def __post_init__(self) -> None:
        for name, rule, kept in (
            ("quantile", "must lie in (0, 1]", 0 < self.quantile <= 1),
            ("utilisation_max", "must be positive", self.utilisation_max > 0),
            ("failure_max", "must be positive", self.failure_max > 0),
            ("slots", "must be at least 1", self.slots >= 1),
            ("compared", "must not be negative", self.compared >= 0),
            ("moved_share_max", "must lie in 0..1", 0 <= self.moved_share_max <= 1),
            ("hold_growth_ns_max", "must not be negative", self.hold_growth_ns_max >= 0),
        ):
            if not kept:
                raise BadInputError(f"check.{name}", rule, getattr(self, name))
        wrong = sorted(self.allowed - ALLOWABLE)
        if wrong:
            rule = f"must be one of {', '.join(sorted(ALLOWABLE))}: what else is broken would do harm"
            raise BadInputError("--allow", rule, wrong[0].value)


def rules_named(names: Sequence[str]) -> frozenset[Rule]:
    """Return the rules of these names.

    Raises
    ------
    BadInputError
        Naming the one that is none.
    """
    for name in names:
        if name not in set(Rule):
            raise BadInputError("--allow", f"must be one of {', '.join(sorted(ALLOWABLE))}", name)
    return frozenset(Rule(name) for name in names)
