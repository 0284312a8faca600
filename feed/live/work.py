"""One turn of the live centre: events told, and a bundle made if one is due."""

from __future__ import annotations

from dataclasses import dataclass

from feed.bundle.archive import pack, unpack
from feed.bundle.bundle import Bundle
from feed.bundle.parsed import Parsed, parse
from feed.check.findings import PolicyFindings, Severity
from feed.live.centre import LiveCentre
from feed.live.publication import Occasion, Publications, PublicationSetting
from feed.live.publisher import Publisher
from router_core.errors import BadInputError
from strategies.brain import Event, TelemetryArrived
from strategies.decision import Decision

REFUSED_LINES = 20


@dataclass(frozen=True, eq=False)
class Turn:
    """What the centre is to do.

    Attributes
    ----------
    now_ns : int
        Since 1970 [ns].
    events : tuple of Event
        Of the run's time, in order.
    epoch : int or None
        With which a bundle may be published; None: none may.
    unpublished : bool
        What was made last reached nobody.
    """

    now_ns: int
    events: tuple[Event, ...]
    epoch: int | None
    unpublished: bool = False


@dataclass(frozen=True)
class Restore:
    """An old bundle is to be published anew.

    Attributes
    ----------
    now_ns : int
        Since 1970 [ns].
    packed : bytes
        The old bundle.
    epoch : int
        The new one.
    """

    now_ns: int
    packed: bytes
    epoch: int


@dataclass(frozen=True, eq=False)
class Done:
    """What came of it.

    Attributes
    ----------
    decisions : tuple of Decision
    step_s : tuple of float
        Time that the brain took for each event [s].
    control_s : float or None
        Time that it took for all of them [s], if telemetry was among them: a control step; else None.
    trust : str
        What the brain goes by, ``-`` where it does not say.
    occasion : Occasion or None
        Why a bundle was made; None: none was due.
    packed : bytes or None
        The signed bundle.
    refused : tuple of str
        Why the check refused it, a line each, the first ones.
    """

    decisions: tuple[Decision, ...]
    step_s: tuple[float, ...]
    control_s: float | None
    trust: str
    occasion: Occasion | None
    packed: bytes | None
    refused: tuple[str, ...]


class CentreWork:
    """The live centre and its publisher.

    Parameters
    ----------
    centre : LiveCentre
    start_ns : int
        Instant 0 of the run, since 1970 [ns].
    publisher : Publisher or None
        None: nothing is ever published, the centre watches only.
    setting : PublicationSetting
    active : Bundle, optional
        Policy that agents have now, that changes are measured against.
    """

    def __init__(
        self,
        centre: LiveCentre,
        start_ns: int,
        publisher: Publisher | None,
        setting: PublicationSetting,
        active: Bundle | None = None,
    ) -> None:
        self._centre = centre
        self._start_ns = start_ns
        self._publisher = publisher
        self._publications = Publications(setting)
        self._active: Parsed | None = None if active is None else parse(active)
        self._before = self._active

    def turn(self, turn: Turn) -> Done:
        """Tell the events, and make a bundle if one is due."""
        if turn.unpublished:
            self._publications.forget()
            self._active = self._before
        run_ns = turn.now_ns - self._start_ns
        told = self._centre.tell([*self._centre.slot(run_ns), *turn.events])
        refused: tuple[str, ...] = ()
        occasion, packed = None, None
        if self._publisher is not None and turn.epoch is not None:
            occasion, packed, refused = self._published(self._publisher, turn.epoch, turn.now_ns)
        controlled = any(isinstance(event, TelemetryArrived) for event in turn.events)
        control_s = sum(told.step_s) if controlled else None
        return Done(told.decisions, told.step_s, control_s, self._centre.trust, occasion, packed, refused)

    def restored(self, restore: Restore) -> bytes:
        """Return the signed bundle that brings an old one's content back; raises `BadInputError` without keys."""
        if self._publisher is None:
            raise BadInputError("--key", "must be given to whoever is to publish", None)
        bundle = self._publisher.restored(unpack(restore.packed), epoch=restore.epoch, now_ns=restore.now_ns)
        self._publications.forget()
        self._before, self._active = self._active, parse(bundle)
        return pack(bundle)

    def close(self) -> None:
        """End the recording."""
        self._centre.close()

    def _published(
        self, publisher: Publisher, epoch: int, now_ns: int
    ) -> tuple[Occasion | None, bytes | None, tuple[str, ...]]:
        run_ns = now_ns - self._start_ns
        key = self._centre.key(run_ns)
        occasion = self._publications.due(now_ns, key, as_planned=self._centre.as_planned(run_ns))
        if occasion is None:
            return None, None, ()
        made = publisher.publication(
            self._centre.content(run_ns), epoch=epoch, now_ns=now_ns, reason=occasion.value, active=self._active
        )
        if made.bundle is None:
            self._publications.tried(now_ns)
            return occasion, None, _lines(made.findings)
        self._publications.done(now_ns, key)
        self._before, self._active = self._active, made.parsed
        return occasion, pack(made.bundle), ()


def _lines(findings: PolicyFindings) -> tuple[str, ...]:
    refusals = [one for one in findings.findings if one.severity is Severity.REFUSE]
    shown = [f"{one.rule.value}: {one.place}: {one.said}; next: {one.rule.next_en}" for one in refusals[:REFUSED_LINES]]
    rest = len(refusals) - len(shown)
    return (*shown, f"and {rest} more") if rest else tuple(shown)
