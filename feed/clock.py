"""What the feed takes for the time: the system's clock live, a set one where time is simulated or tested."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from router_core.calendar import LOCAL_TIME
from router_core.units import SECOND_NS

# Instants are counted in nanoseconds in 64 bits, which end in 2262.
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2242, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """A clock of the world outside."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns()


class SetClock:
    """A clock that stands until it is set.

    Parameters
    ----------
    now_ns : int
        Nanoseconds since 1970-01-01T00:00:00Z, >= 0.
    """

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        return self._now_ns

    def set(self, now_ns: int) -> None:
        """Let it be that time; it may run back, as real clocks do."""
        self._now_ns = now_ns

    def advance(self, by_ns: int) -> None:
        """Let so much time pass."""
        self._now_ns += by_ns


def utc_of(instant_ns: int) -> datetime:
    """Return an instant as a date and time in UTC, cut to whole microseconds."""
    return datetime.fromtimestamp(instant_ns // SECOND_NS, UTC) + timedelta(
        microseconds=instant_ns % SECOND_NS // 1_000
    )


def local_of(instant_ns: int) -> datetime:
    """Return an instant as local time without a zone, as plans speak of it."""
    return utc_of(instant_ns).astimezone(LOCAL_TIME).replace(tzinfo=None)


def instant_of(when: datetime) -> int:
    """Return an aware date and time as nanoseconds since 1970."""
    since = when - EARLIEST
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1_000


def sayable_in_utc(when: datetime) -> datetime:
    """Return an aware date and time as it is, if UTC has a year for it; for models of what others send.

    Raises
    ------
    ValueError
        If it is in no year of 1..9999 there.
    """
    try:
        when.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1..9999 of UTC") from None
    return when


def countable(when: datetime) -> datetime:
    """Return an aware date and time as it is, if its nanoseconds can be counted; for models of what others send.

    Raises
    ------
    ValueError
        If it is before 1970, or in 2242 or later.
    """
    if not EARLIEST <= when < LATEST:
        raise ValueError(f"must lie in the years {EARLIEST.year}..{LATEST.year - 1}")
    return when
