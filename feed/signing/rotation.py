"""One trust file gives way to the next: old keys and new ones must say so, as The Update Framework has it."""

from __future__ import annotations

from datetime import datetime

from feed.refusals import Refusal, RefusedBundleError
from feed.signing.dsse import verify
from feed.signing.trust import TRUST_TYPE, Trust, parse_trust
from router_core.errors import BadInputError


def rotated(old: Trust, new_document: bytes, envelope: bytes, at: datetime) -> Trust:
    """Return the next trust, which the old one's threshold of keys and its own have signed.

    The old keys, so that nobody else can take over; the new ones, so that nobody is locked out by keys that no one has.
    A key that is in both signs once.

    Parameters
    ----------
    old : Trust
        The one in force.
    new_document : bytes
        The next ``trust.json``.
    envelope : bytes
        DSSE over exactly these bytes, of type `TRUST_TYPE`.
    at : datetime
        Aware; keys must be valid at that time.

    Raises
    ------
    RefusedBundleError
        As of `feed.signing.dsse.verify`, by the old trust first, then by the new one; ``ALTERED`` if the envelope is
        over other bytes.
    BadInputError
        If the document is none, or not the next version.
    """
    if verify(envelope, TRUST_TYPE, old, at) != new_document:
        raise RefusedBundleError(Refusal.ALTERED, "trust file: must be what its envelope was signed over, and is not")
    new = parse_trust(new_document)
    if new.version != old.version + 1:
        raise BadInputError(
            "version",
            f"must be {old.version + 1}, the next one; install those between one by one, and never go back",
            new.version,
        )
    verify(envelope, TRUST_TYPE, new, at)
    return new
