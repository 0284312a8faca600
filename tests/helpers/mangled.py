"""What can become of observations on their way to a brain: lost, late, twice, out of order, absurd."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from router_core.units import HOUR_NS, MINUTE_NS
from strategies.brain import DemandReported, Event, TelemetryArrived

Mangle = Callable[[Event], Iterable[Event]]
OBSERVED = (TelemetryArrived, DemandReported)


class Mangled:
    """Mangles events of some kinds that come in a span of time; all others go through."""

    def __init__(self, from_ns: int, until_ns: int, mangle: Mangle, kinds: tuple[type, ...] = OBSERVED) -> None:
        self._span = from_ns, until_ns
        self._mangle = mangle
        self._kinds = kinds
        self.count = 0

    def __call__(self, event: Event) -> Iterable[Event]:
        if not (isinstance(event, self._kinds) and self._span[0] <= event.now_ns < self._span[1]):
            return (event,)
        self.count += 1
        return self._mangle(event)


def lost(_: Event) -> Iterable[Event]:
    return ()


def twice(event: Event) -> Iterable[Event]:
    return event, event


class Late:
    """Each comes when so many further ones of its kind have come."""

    def __init__(self, by: int) -> None:
        self._by = by
        self._waiting: dict[type, list[Event]] = {}

    def __call__(self, event: Event) -> Iterable[Event]:
        waiting = self._waiting.setdefault(type(event), [])
        waiting.append(event)
        return (replace(waiting.pop(0), now_ns=event.now_ns),) if len(waiting) > self._by else ()


class Swapped:
    """Every second one comes after the one that followed it."""

    def __init__(self) -> None:
        self._kept: dict[type, Event] = {}

    def __call__(self, event: Event) -> Iterable[Event]:
        kept = self._kept.pop(type(event), None)
        if kept is None:
            self._kept[type(event)] = event
            return ()
        return event, replace(kept, now_ns=event.now_ns)


def telemetry(**columns: Callable[[np.ndarray], object]) -> Mangle:
    """Telemetry with other columns, all else as it came."""

    def mangle(event: Event) -> Iterable[Event]:
        if not isinstance(event, TelemetryArrived):
            return (event,)
        return (replace(event, **{name: change(getattr(event, name)) for name, change in columns.items()}),)

    return mangle


def demand(**columns: Callable[[np.ndarray], object]) -> Mangle:
    def mangle(event: Event) -> Iterable[Event]:
        if not isinstance(event, DemandReported):
            return (event,)
        return (replace(event, **{name: change(getattr(event, name)) for name, change in columns.items()}),)

    return mangle


def clock(by_ns: int) -> Mangle:
    return lambda event: (replace(event, now_ns=max(event.now_ns + by_ns, 0)),)


# Name -> how it is made, what it strikes, and whether trust in telemetry should go; None: it may.
FLAWS: dict[str, tuple[Callable[[], Mangle], tuple[type, ...], bool | None]] = {
    "all-lost": (lambda: lost, OBSERVED, True),
    "telemetry-lost": (lambda: lost, (TelemetryArrived,), True),
    "demand-lost": (lambda: lost, (DemandReported,), True),
    "late": (lambda: Late(5), OBSERVED, True),
    "twice": (lambda: twice, OBSERVED, False),
    "swapped": (Swapped, OBSERVED, None),
    "negative-counters": (
        lambda: telemetry(served_bytes=lambda a: -a - 1, waiting=lambda a: a - 10**9),
        OBSERVED,
        True,
    ),
    "nan": (lambda: telemetry(utilisation=lambda a: a * np.nan), OBSERVED, True),
    "seven": (lambda: telemetry(utilisation=lambda a: a * 0 + 7.0), OBSERVED, True),
    "too-short": (lambda: telemetry(utilisation=lambda a: a[:-1]), OBSERVED, True),
    "no-array": (lambda: telemetry(up=lambda a: a.tolist()), OBSERVED, True),
    "demand-negative": (lambda: demand(exchanges=lambda a: -a), OBSERVED, True),
    "demand-unknown": (lambda: demand(source=lambda a: a + 10_000), OBSERVED, True),
    "window-none": (lambda: telemetry(window_ns=lambda a: 0), OBSERVED, True),
    "future": (lambda: telemetry(observed_ns=lambda a: a + HOUR_NS), OBSERVED, True),
    "clock-back": (lambda: clock(-10 * MINUTE_NS), OBSERVED, True),
}
