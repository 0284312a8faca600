"""The field's own words as enumerations; `docs/glossary.md` gives the Chinese."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

# Classes of service run from 0, the most urgent, to this.
PRIORITY_MAX: Final = 7


class NodeKind(IntEnum):
    """What a node is; only front-ends and externals are endpoints, and endpoints are never transit."""

    FRONT_END = 0
    CENTRE = 1
    ROUTER = 2
    CROSSING = 3
    GATEWAY = 4
    EXTERNAL = 5


class Level(IntEnum):
    """Administrative level of a node or unit."""

    NATION = 0
    PROVINCE = 1
    CITY = 2
    COUNTY = 3


class StationRole(IntEnum):
    """What a station does: pass an exchange through a node, process it at a centre, or carry it on a line."""

    PASS = 0
    PROCESS = 1
    LINE = 2


class Discipline(IntEnum):
    """Whom a station serves next: who came first; the most urgent class, not pre-emptive; all, in equal shares."""

    FIFO = 0
    PRIORITY = 1
    SHARING = 2


class SharingType(IntEnum):
    """Who may have a resource: anyone, whoever the provider granted it to, nobody."""

    UNCONDITIONAL = 0
    CONDITIONAL = 1
    NOT_SHARED = 2


class Mode(IntEnum):
    """Delivery mode: system docking, front-end file sharing, online query, batch download."""

    DOCKING = 0
    FRONT_END = 1
    QUERY = 2
    BATCH = 3


class TaskKind(IntEnum):
    """Recurring synchronisation task, or exchange task on demand."""

    SYNC = 0
    EXCHANGE = 1
