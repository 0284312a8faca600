"""What a bundle must be to be published here, beside being signed: new, in its time, and of this platform."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime, timedelta
from typing import Final

from feed.bundle.bundle import Bundle
from feed.bundle.parsed import KnownDocuments, parse
from feed.refusals import Refusal, RefusedBundleError

# Clocks of signers and servers may differ by so much.
SKEW: Final = timedelta(minutes=1)


def check_epoch(epoch: int, top: int) -> None:
    """Refuse an epoch that is not above all that were published; errors are REPLAYED and EPOCH_ROLLED_BACK."""
    if epoch == top:
        raise RefusedBundleError(Refusal.REPLAYED, f"epoch: {epoch} was published with another content")
    if epoch < top:
        raise RefusedBundleError(Refusal.EPOCH_ROLLED_BACK, f"epoch: must be above {top}, not {epoch}")


def check_fit(bundle: Bundle, now: datetime, topology: str, scopes: Set[str], known: KnownDocuments) -> None:
    """Refuse a bundle that does not hold now, or is of another platform.

    Parameters
    ----------
    bundle : Bundle
    now : datetime
        With a zone.
    topology : str
        Digest of the network.
    scopes : set of str
        Names of its endpoints.
    known : KnownDocuments
        What was read of bundles before.

    Raises
    ------
    RefusedBundleError
        EXPIRED, NOT_YET_VALID, WRONG_TOPOLOGY, or what `parse` finds.
    """
    manifest = bundle.manifest
    if manifest.hard_expiry <= now:
        raise RefusedBundleError(Refusal.EXPIRED, f"hard_expiry: must be ahead, not {manifest.hard_expiry}")
    if manifest.valid_from > now + SKEW:
        raise RefusedBundleError(Refusal.NOT_YET_VALID, f"valid_from: must have come, not {manifest.valid_from}")
    if manifest.topology != topology:
        detail = f"topology: must be {topology[:16]}..., not {manifest.topology[:16]}..."
        raise RefusedBundleError(Refusal.WRONG_TOPOLOGY, detail)
    odd = parse(bundle, known).platform.endpoints.keys() ^ scopes
    if odd:
        raise RefusedBundleError(Refusal.WRONG_TOPOLOGY, f"platform.json: endpoints differ: {min(odd)}")
