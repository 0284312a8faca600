"""Bundles in files, for the verbs of `policy`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import scenarios
from feed.bundle.archive import Limits, pack, unpack
from feed.bundle.bundle import Bundle
from feed.durable import READABLE, write_durably
from feed.refusals import Refusal, RefusedBundleError
from router_core.calendar import LOCAL_TIME
from router_core.errors import BadInputError
from router_core.platform import Platform


def read_bundle(path: Path, *, package: bool = False) -> Bundle:
    """Read a bundle, every file checked against its manifest; with `package`, files may be missing.

    Raises
    ------
    RefusedBundleError
        As of `unpack`, with the file named.
    """
    limits = Limits()
    size = path.stat().st_size
    if size > limits.bundle_bytes_max:
        rule = f"must have at most {limits.bundle_bytes_max:,} bytes"
        raise RefusedBundleError(Refusal.OVERSIZED, f"{path}: {rule}, not {size:,}")
    try:
        return unpack(path.read_bytes(), limits, package=package)
    except RefusedBundleError as error:
        raise RefusedBundleError(error.refusal, f"{path}: {error.detail}") from None


def write_bundle(path: Path, bundle: Bundle) -> int:
    """Write a bundle, whole or not at all; return how many bytes it has."""
    data = pack(bundle)
    write_durably(path, data, READABLE)
    return len(data)


def platform_of(bundle: Bundle, scenario: str | None) -> Platform:
    """Return the platform that a bundle is made for.

    Raises
    ------
    BadInputError
        If the scenario has another network.
    """
    platform = scenarios.load(scenario or bundle.manifest.scenario)
    if platform.network.digest != bundle.manifest.topology:
        rule = f"must have the network that the bundle is made for, {bundle.manifest.topology[:12]}"
        raise BadInputError("--scenario", rule, f"{platform.name}: {platform.network.digest[:12]}")
    return platform


def moment_of(text: str | None, option: str) -> datetime:
    """Return a time of the command line in UTC: local time where no zone is given; now where nothing is.

    Raises
    ------
    BadInputError
        If it is no time.
    """
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        rule = "must be a time such as 2026-03-17T10:00 (local) or 2026-03-17T02:00Z"
        raise BadInputError(option, rule, text) from None
    try:
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=LOCAL_TIME)).astimezone(UTC)
    except OverflowError:
        raise BadInputError(option, "must lie in the years 1 to 9999 of UTC", text) from None


def expiries(begin: datetime, soft_hours: float, hard_days: float) -> tuple[datetime, datetime]:
    """Return the soft and the hard expiry of what holds from `begin`.

    Raises
    ------
    BadInputError
        If the dynamic layer outlasts the whole, or either ends after the year 9999.
    """
    if soft_hours > hard_days * 24:
        raise BadInputError("--soft-hours", f"must be at most --hard-days, {hard_days * 24:g} h", soft_hours)
    try:
        return begin + timedelta(hours=soft_hours), begin + timedelta(days=hard_days)
    except OverflowError:
        raise BadInputError("--hard-days", "must end before the year 10000", hard_days) from None
