"""When a policy is published: when it changed, and again before what it says of the moment lapses."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from router_core.errors import BadInputError
from router_core.units import DAY_NS, MINUTE_NS


class Occasion(StrEnum):
    """Why a policy is published."""

    FIRST = "first"
    CHANGED = "changed"
    RENEWED = "renewed"


@dataclass(frozen=True)
class PublicationSetting:
    """Rhythm of publications and validity of bundles, all [ns] and > 0.

    Attributes
    ----------
    least_ns : int
        From one publication to the next at least; >= 0.
    soft_ns : int
        The dynamic layer lapses so long after it was published.
    renew_ns : int
        A dynamic layer that goes on is published again after so long; less than `soft_ns`.
    hard_ns : int
        The static layer counts as outdated so long after it was published; more than `soft_ns`.
    renew_plan_ns : int
        What is only the plan is published again after so long; less than `hard_ns`.
    """

    least_ns: int = MINUTE_NS
    soft_ns: int = 15 * MINUTE_NS
    renew_ns: int = 7 * MINUTE_NS
    hard_ns: int = 7 * DAY_NS
    renew_plan_ns: int = DAY_NS

    def __post_init__(self) -> None:
        for name, low, value, high in (
            ("least", 0, self.least_ns, None),
            ("renew", 1, self.renew_ns, self.soft_ns),
            ("soft", 1, self.soft_ns, self.hard_ns),
            ("renew_plan", 1, self.renew_plan_ns, self.hard_ns),
        ):
            if value < low or (high is not None and value >= high):
                rule = f"must be at least {low}" + ("" if high is None else f" and less than {high}")
                raise BadInputError(f"publication.{name}_ns", rule, value)


class Publications:
    """Keeps what was published last.

    Parameters
    ----------
    setting : PublicationSetting
    """

    def __init__(self, setting: PublicationSetting) -> None:
        self._setting = setting
        self._key: str | None = None
        self._at_ns = 0
        self._tried_ns: int | None = None

    def due(self, now_ns: int, key: str, *, as_planned: bool) -> Occasion | None:
        """Return why the policy with this key is to be published now, `None` if it is not; [ns] since 1970."""
        setting = self._setting
        if self._tried_ns is not None and 0 <= now_ns - self._tried_ns < setting.least_ns:
            return None
        if self._key is None:
            return Occasion.FIRST
        if key != self._key:
            return Occasion.CHANGED
        age_ns = now_ns - self._at_ns
        # A clock that was set back makes no bundle young.
        return (
            Occasion.RENEWED if not 0 <= age_ns < (setting.renew_plan_ns if as_planned else setting.renew_ns) else None
        )

    def tried(self, now_ns: int) -> None:
        """Take in that a publication was tried: one that is refused is not tried again at once."""
        self._tried_ns = now_ns

    def done(self, now_ns: int, key: str) -> None:
        """Take in that the policy with this key was published."""
        self._key, self._at_ns, self._tried_ns = key, now_ns, now_ns

    def forget(self) -> None:
        """Take in that agents were given something else: what is in force here is to be published when it may."""
        self._key = None
