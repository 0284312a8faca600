"""The policy as NiFi reads it: two tables of key and value for its `SimpleCsvFileLookupService`.

``nifi/names.csv`` leads from what a flow file knows to what routes go by: an endpoint's name to the name of its group,
``<mode>/<kind>/<priority>`` to the class of service. ``routes.csv`` leads from ``<group>/<class of service>`` to ways.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Final

from feed.bundle.documents import ClassesDocument, NowDocument, PlatformDocument, RoutesDocument
from feed.bundle.parsed import Parsed, weights_at
from router_core.network import Network
from router_core.vocabulary import PRIORITY_MAX, Mode, StationRole, TaskKind

HEADER: Final = ("key", "value")
# What separates the parts of a value, and what would, within a name.
ESCAPED: Final = str.maketrans({char: f"%{ord(char):02X}" for char in "%>;:*"})


def nifi_csv(network: Network, parsed: Parsed, group: int, slot: int, *, dynamic: bool = True) -> bytes:
    """Return ``routes.csv`` of a source group.

    Parameters
    ----------
    network : Network
        That the policy is made for.
    parsed : Parsed
        With the group's routes.
    group, slot : int
    dynamic : bool
        Whether the dynamic layer still holds.
    """
    writer = NifiWriter(network, parsed.platform, parsed.classes)
    return writer.routes(parsed.routes[group], parsed.now.get(group) if dynamic else None, slot)


class NifiWriter:
    """Writes the tables of a policy; what a way is called is worked out once.

    Parameters
    ----------
    network : Network
    platform : PlatformDocument
    classes : ClassesDocument
    """

    def __init__(self, network: Network, platform: PlatformDocument, classes: ClassesDocument) -> None:
        self._groups = [group.name for group in platform.groups]
        self._endpoints = platform.endpoints
        self._classes = classes
        self._priorities = sorted({one.priority for one in classes.classes})
        names = [name.translate(ESCAPED) for name in network.node_name]
        # What a station adds to a way's text: a node its name, the one that processes with a star, a line nothing.
        self._text = [
            None if role == StationRole.LINE else ("*" if role == StationRole.PROCESS else "") + names[owner]
            for role, owner in zip(network.station_role.tolist(), network.station_owner.tolist(), strict=True)
        ]
        self._known: dict[tuple[int, ...], str] = {}

    def names(self) -> bytes:
        """Return ``names.csv``."""
        classes = self._classes
        of_task = (
            (f"{mode}/{kind}/{priority}", classes.classes[of].priority)
            for (mode, kind, priority), of in zip(_tasks(), classes.fallback, strict=True)
        )
        of_endpoint = ((name, self._groups[group]) for name, group in self._endpoints.items())
        return _table([*of_endpoint, *of_task])

    def routes(self, routes: RoutesDocument, now: NowDocument | None, slot: int) -> bytes:
        """Return ``routes.csv`` of a source group in a slot."""
        moved = {} if now is None else dict(now.weights)
        return self.table(
            (one.target, [way.stations for way in one.ways], moved.get(one.target) or weights_at(one.weights, slot))
            for one in routes.targets
        )

    def table(self, targets: Iterable[tuple[int, Sequence[tuple[int, ...]], Sequence[int]]]) -> bytes:
        """Return ``routes.csv`` of target groups, the stations of their ways, and the weights."""
        rows = []
        for target, ways, weights in targets:
            value = self._value(ways, weights)
            rows += [(f"{self._groups[target]}/{priority}", value) for priority in self._priorities]
        return _table(rows)

    def _value(self, ways: Sequence[tuple[int, ...]], weights: Sequence[int]) -> str:
        """Ways with weight, those used most first, then the first last resort if there is one."""
        order = sorted(range(len(ways)), key=lambda way: (-weights[way], way))
        used = sum(weight > 0 for weight in weights)
        return ";".join(f"{weights[way]}:{self._name(ways[way])}" for way in order[: used + 1])

    def _name(self, stations: tuple[int, ...]) -> str:
        known = self._known.get(stations)
        if known is None:
            parts: list[str] = []
            for text in (self._text[station] for station in stations):
                if text is not None:
                    # A node processes at a station of its own, and may forward at another: it is named once.
                    if parts and parts[-1].lstrip("*") == text.lstrip("*"):
                        parts[-1] = max(parts[-1], text, key=len)
                    else:
                        parts.append(text)
            self._known[stations] = known = ">".join(parts)
        return known


def _tasks() -> Iterable[tuple[str, str, int]]:
    return (
        (mode.name.lower(), kind.name.lower(), priority)
        for mode in Mode
        for kind in TaskKind
        for priority in range(PRIORITY_MAX + 1)
    )


def _table(rows: Iterable[tuple[str, object]]) -> bytes:
    """Write a table by RFC 4180, but with plain line ends."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return text.getvalue().encode()
