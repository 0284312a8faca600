"""When a policy begins to hold, and when its dynamic layer ends, by the clock of its plan."""

from __future__ import annotations

from datetime import UTC, datetime

from feed.bundle.parsed import Parsed
from feed.clock import instant_of, local_of

# Local time runs ahead of UTC, and dates end with the year 9999.
LAST = datetime(9999, 12, 30, tzinfo=UTC)


def begins_at(parsed: Parsed) -> datetime:
    """Local time from which a policy holds."""
    return local_of(instant_of(min(parsed.manifest.valid_from, LAST)))


def dynamic_ends_at(parsed: Parsed) -> datetime:
    """Local time from which only the static layer holds."""
    return local_of(instant_of(min(parsed.manifest.soft_expiry, LAST)))
