"""Whether a policy speaks of the platform that it is checked against: its numbers then mean what they say."""

from __future__ import annotations

from feed.bundle.documents import PlatformDocument
from feed.bundle.parsed import Parsed
from feed.check.findings import Finding, Rule, Severity
from router_core.network import Network


def check_platform(network: Network, parsed: Parsed) -> list[Finding]:
    """Compare names and numbers with the network."""
    document = parsed.platform
    groups = tuple(tuple(network.node_name[home] for home in homes) for homes in network.groups)
    endpoints = {network.node_name[node]: int(network.node_group[node]) for node in network.endpoints.tolist()}
    found = []
    try:
        parsed.clock()
    except OverflowError:
        said = "must be of dates that there are, none beyond the year 9999"
        found.append(Finding(Rule.PLATFORM, Severity.REFUSE, "release.json: slots", said))
    for place, said, kept in (
        ("topology", f"must be {network.digest[:12]}, and is {document.topology[:12]}", _digests(network, parsed)),
        (
            "stations",
            f"must be {network.station_count}, and are {document.stations}",
            document.stations == network.station_count,
        ),
        ("groups", f"must be the network's {len(groups)} with their homes", _homes(document) == groups),
        ("endpoints", f"must be the network's {len(endpoints)} with their groups", document.endpoints == endpoints),
    ):
        if not kept:
            found.append(Finding(Rule.PLATFORM, Severity.REFUSE, f"platform.json: {place}", said))
    return found


def _digests(network: Network, parsed: Parsed) -> bool:
    return network.digest == parsed.platform.topology == parsed.manifest.topology


def _homes(document: PlatformDocument) -> tuple[tuple[str, ...], ...]:
    return tuple(group.homes for group in document.groups)
