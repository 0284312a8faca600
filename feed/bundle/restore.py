"""An old content under a new epoch: the way back, as epochs never go back themselves."""

from __future__ import annotations

from datetime import datetime

from feed.bundle.bundle import Bundle
from feed.bundle.manifest import make_bundle

ROLLED_BACK = "rolled-back"


def restored(
    old: Bundle,
    *,
    epoch: int,
    created: datetime,
    valid_from: datetime,
    soft_expiry: datetime,
    hard_expiry: datetime,
) -> Bundle:
    """Return an unsigned bundle of an old one's very files; the other parameters and errors are of `make_bundle`."""
    manifest = old.manifest
    return make_bundle(
        old.files,
        epoch=epoch,
        created=created,
        valid_from=valid_from,
        soft_expiry=soft_expiry,
        hard_expiry=hard_expiry,
        topology=manifest.topology,
        scenario=manifest.scenario,
        inputs=manifest.inputs,
        provenance=manifest.provenance | {"reason": ROLLED_BACK},
        restores=manifest.epoch,
    )
