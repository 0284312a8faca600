"""The ladder of trust: what a brain goes by, down at once for a cause, up one rung at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from router_core.errors import BadInputError
from router_core.units import HOUR_NS
from strategies.decision import Decision, DecisionKind, Reason, Trust
from strategies.guard.verdict import Stream, Verdict

# What each rung stands on, beside all that those below it stand on; the last good plan stands on nothing.
PLAN: Final = "plan"
_RUNGS: Final[dict[Trust, tuple[str, ...]]] = {
    Trust.PROBING: (Stream.PARTICLES,),
    Trust.DYNAMIC: (Stream.TELEMETRY, Stream.DEMAND),
    Trust.STATIC: (PLAN,),
    Trust.LAST_GOOD: (),
}
_CLIMBS: Final = {
    Trust.PROBING: Reason.PARTICLES_BACK,
    Trust.DYNAMIC: Reason.TELEMETRY_GOOD,
    Trust.STATIC: Reason.SLOT_BEGAN,
}


@dataclass(frozen=True)
class LadderSetting:
    """How soon trust is lost and won.

    Attributes
    ----------
    telemetry_bad, particles_bad : int
        So many bad or missing observations in a row take trust away, >= 1; a plan that fails does at once.
    telemetry_good, particles_good, plan_good : int
        So many good ones in a row, since the rung below was reached, win it back, >= 1.
    doublings_max : int
        Each relapse soon after a climb doubles what is asked, up to so often.
    calm_ns : int
        Who stays on a rung so long has no relapse but a new fault: what is asked is as at first again [ns].
    """

    telemetry_bad: int = 3
    particles_bad: int = 2
    telemetry_good: int = 3
    particles_good: int = 2
    plan_good: int = 1
    doublings_max: int = 5
    calm_ns: int = HOUR_NS

    def __post_init__(self) -> None:
        for name in ("telemetry_bad", "particles_bad", "telemetry_good", "particles_good", "plan_good"):
            if getattr(self, name) < 1:
                raise BadInputError(f"ladder.{name}", "must be at least 1", getattr(self, name))
        for name in ("doublings_max", "calm_ns"):
            if getattr(self, name) < 0:
                raise BadInputError(f"ladder.{name}", "must not be negative", getattr(self, name))


@dataclass
class _Support:
    """Observations of one kind, in a row."""

    bad_enough: int
    good_enough: int
    bad: int = 0
    good: int = 0
    cause: Reason = Reason.PLAN_REFUSED

    def observe(self, *, good: bool, cause: Reason | None) -> None:
        self.good, self.bad = (self.good + 1, 0) if good else (0, self.bad + 1)
        self.cause = cause or self.cause


@dataclass
class _Rung:
    """What a rung stands on, when it was won last, and how often it was lost soon after."""

    supports: tuple[_Support, ...]
    won_ns: int | None = None
    doublings: int = 0


class TrustLadder:
    """What a brain may go by now.

    Parameters
    ----------
    top : Trust
        The highest rung of this brain.
    setting : LadderSetting, optional
    start : Trust, optional
        Where it begins, no higher than `top`; at the top if not given.

    Attributes
    ----------
    trust : Trust
        Where it stands.

    Raises
    ------
    BadInputError
        If it is to begin above its top.
    """

    def __init__(self, top: Trust, setting: LadderSetting | None = None, start: Trust | None = None) -> None:
        setting = setting or LadderSetting()
        start = top if start is None else start
        if start < top:
            raise BadInputError("ladder.start", f"must not be above {top.name.lower()}", start.name.lower())
        self._top = top
        self._setting = setting
        self._support = {
            Stream.PARTICLES: _Support(setting.particles_bad, setting.particles_good),
            Stream.TELEMETRY: _Support(setting.telemetry_bad, setting.telemetry_good),
            Stream.DEMAND: _Support(setting.telemetry_bad, setting.telemetry_good),
            PLAN: _Support(1, setting.plan_good),
        }
        self._rung = {trust: _Rung(tuple(self._support[name] for name in names)) for trust, names in _RUNGS.items()}
        self._observed_ns = 0
        self.trust = start

    def judge(self, *verdicts: Verdict) -> list[Decision]:
        """Take in what the guard said of observations, or of their absence, and return what changes."""
        changes = []
        for verdict in verdicts:
            self._observed_ns = max(self._observed_ns, verdict.observed_ns)
            support = self._support.get(verdict.stream)
            if support is None or verdict.good is None:
                continue
            support.observe(good=verdict.good, cause=verdict.reason)
            changes += self._step(verdict.now_ns)
        return changes

    def plan(self, now_ns: int, *, good: bool) -> list[Decision]:
        """Take in whether there is a static plan for the time that passes its checks, and return what changes."""
        self._support[PLAN].observe(good=good, cause=Reason.PLAN_REFUSED)
        return self._step(now_ns)

    def asked(self, rung: Trust) -> dict[str, int]:
        """Return how many good observations in a row, of each kind, win a rung from the one below now."""
        doublings = self._rung[rung].doublings
        return {str(name): self._support[name].good_enough << doublings for name in _RUNGS[rung]}

    def _step(self, now_ns: int) -> list[Decision]:
        # The lowest rung that has lost what it stands on decides how far down.
        for trust in (Trust.STATIC, Trust.DYNAMIC, Trust.PROBING):
            lost = [support for support in self._rung[trust].supports if support.bad >= support.bad_enough]
            if lost and self.trust <= trust:
                rung = self._rung[trust]
                if rung.won_ns is not None and now_ns - rung.won_ns < self._setting.calm_ns:
                    rung.doublings = min(rung.doublings + 1, self._setting.doublings_max)
                else:
                    rung.doublings = 0
                return [self._go(now_ns, Trust(trust + 1), lost[0].cause, lost[0].bad)]
        if self.trust == self._top:
            return []
        above = Trust(self.trust - 1)
        rung = self._rung[above]
        if any(support.good < support.good_enough << rung.doublings for support in rung.supports):
            return []
        rung.won_ns = now_ns
        return [self._go(now_ns, above, _CLIMBS[above], min(support.good for support in rung.supports))]

    def _go(self, now_ns: int, to: Trust, reason: Reason, count: int) -> Decision:
        was, self.trust = self.trust, to
        if to > self._top:
            # The next rung is won by what is seen from this one on.
            for support in self._rung[Trust(to - 1)].supports:
                support.good = 0
        return Decision(
            now_ns,
            min(self._observed_ns, now_ns),
            DecisionKind.TRUST_CHANGED,
            reason,
            (was.name.lower().replace("_", "-"), to.name.lower().replace("_", "-")),
            {"count": float(count)},
        )
