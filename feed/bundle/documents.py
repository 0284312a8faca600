"""The documents that a bundle holds, as typed models: unknown fields are refused, and nothing is coerced.

Groups, stations and slots go by their numbers, as in the network that the topology digest names; endpoints go by name.
What changes with the hour is written as *runs*: pairs of the first slot that a value holds for and the value, from
slot 0, ascending; a value holds until the next run.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind

SCHEMA_VERSION: Final = 1
WAYS: Final = len(Mode) * len(TaskKind) * (PRIORITY_MAX + 1)
COUNT_MAX: Final = 2**31 - 1

Index = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Nanoseconds = Annotated[int, Field(ge=0, lt=2**62)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Weights = Annotated[tuple[Count, ...], Field(min_length=1, max_length=64)]


class Document(BaseModel):
    """A part of a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FileEntry(Document):
    """One file of a bundle.

    Attributes
    ----------
    path : str
        Lower-case, relative, with ``/`` between folders; ``manifest.json`` and ``envelope.json`` are none.
    length : int
        [bytes].
    sm3, sha256 : str
        Both digests, in hex.
    """

    path: Annotated[str, Field(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*\.(json|csv)$", max_length=200)]
    length: Annotated[int, Field(ge=0, lt=2**40)]
    sm3: Digest
    sha256: Digest


class Manifest(Document):
    """What a bundle is, and every file in it; this is what is signed.

    Attributes
    ----------
    schema_version : int
    epoch : int
        Grows with every publication.
    created, valid_from, soft_expiry, hard_expiry : datetime
        In UTC. From the soft expiry on only the static layer holds; from the hard one on it goes on to hold, with an
        alarm, and the bundle is no longer accepted anew.
    topology : str
        `Network.digest` of the network that it is made for.
    scenario : str
        Name of the scenario, for people.
    content : str
        SHA-256 over the entries of `files`: equal content has an equal digest in every epoch.
    restores : int or None
        Epoch whose content this one brings back.
    inputs : dict of str to str
        SHA-256 of what it was made from, by name: brain file, scenario, recording...
    provenance : dict of str to str
        Command, version, commit, brain, reason.
    files : tuple of FileEntry
        Ascending by path.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    epoch: Annotated[int, Field(ge=1, lt=2**53)]
    created: AwareDatetime
    valid_from: AwareDatetime
    soft_expiry: AwareDatetime
    hard_expiry: AwareDatetime
    topology: Digest
    scenario: Name
    content: Digest
    restores: Annotated[int, Field(ge=1, lt=2**53)] | None = None
    inputs: dict[Name, Digest]
    provenance: dict[Name, Annotated[str, Field(max_length=2_000)]]
    files: Annotated[tuple[FileEntry, ...], Field(max_length=100_000)]


class GroupEntry(Document):
    """A group of endpoints that routing does not tell apart.

    Attributes
    ----------
    name : str
        Its homes joined by ``+``, with ``.2``, ``.3`` behind where several groups have the same homes; unique.
    homes : tuple of str
    """

    name: Name
    homes: Annotated[tuple[Name, ...], Field(min_length=1)]


class PlatformDocument(Document):
    """``platform.json``: what numbers mean.

    Attributes
    ----------
    topology : str
    stations : int
        Number of stations.
    groups : tuple of GroupEntry
    endpoints : dict of str to int
        Group of each endpoint.
    """

    topology: Digest
    stations: Count
    groups: tuple[GroupEntry, ...]
    endpoints: dict[Name, Index]


class Way(Document):
    """A trunk between two homes.

    Attributes
    ----------
    first, last : int
        Node numbers of the homes where it begins and ends.
    stations : tuple of int
    """

    first: Index
    last: Index
    stations: Annotated[tuple[Index, ...], Field(min_length=1, max_length=1_000)]


class TargetRoutes(Document):
    """Ordered ways to one group of endpoints; a way without weight is a last resort.

    Attributes
    ----------
    target : int
        Group.
    ways : tuple of Way
        In order of preference.
    weights : tuple of runs
        Whole weights of the ways, slot by slot, each with a positive sum.
    """

    target: Index
    ways: Annotated[tuple[Way, ...], Field(min_length=1, max_length=64)]
    weights: Annotated[tuple[tuple[Index, Weights], ...], Field(min_length=1)]


class RoutesDocument(Document):
    """``routes/<group>.json``, the static layer of one source group: targets ascending, one without a way is absent."""

    source: Index
    targets: tuple[TargetRoutes, ...]


class NowDocument(Document):
    """``now/<group>.json``, the dynamic layer of one source group, absent where everything is as planned.

    Attributes
    ----------
    source : int
    weights : tuple of (target, weights)
        Weights of the moment, of the same ways as in the static layer; targets ascending.
    holds : tuple of (target, hold_ns, last_ns)
        How long deferrable tasks wait: those that can be in time, and those that cannot; targets ascending. They are
        meant as in `strategies.dynamic.pacing.PacedRules`.
    hold_of_lead : float
        Of a task that can be in time these holds take no more than this share of the time to its deadline.
    """

    source: Index
    weights: tuple[tuple[Index, Weights], ...]
    holds: tuple[tuple[Index, Nanoseconds, Nanoseconds], ...]
    hold_of_lead: Annotated[float, Field(ge=0, lt=1)]


class RelationsDocument(Document):
    """``relations/<group>.json``: by endpoint, demand classes of relations that the table of fallbacks does not give.

    Attributes
    ----------
    source : int
    endpoints : dict of str to tuple of (target, mode, kind, priority, class)
        Of every endpoint of the group; targets are names.
    """

    source: Index
    endpoints: dict[Name, tuple[tuple[Name, Index, Index, Index, Index], ...]]


class ClassEntry(Document):
    """How tasks of a demand class are treated.

    Attributes
    ----------
    name : str
    priority : int
        Class of service in which they travel.
    deferrable : bool
    hold_max_ns : int
        No task of the class waits longer than this.
    """

    name: Name
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX)]
    deferrable: bool
    hold_max_ns: Nanoseconds


class ClassesDocument(Document):
    """``classes.json``.

    Attributes
    ----------
    classes : tuple of ClassEntry
    fallback : tuple of int
        Class of a task whose relation is not known, by ``(mode * kinds + kind) * priorities + priority``.
    """

    classes: Annotated[tuple[ClassEntry, ...], Field(min_length=1)]
    fallback: Annotated[tuple[Index, ...], Field(min_length=WAYS, max_length=WAYS)]


class ReleaseDocument(Document):
    """``release.json``: the slots of the static layer, and when deferrable tasks are let go.

    Attributes
    ----------
    begin : str
        Local time (+08:00) of slot 0, ISO 8601 without a zone.
    slot_ns : int
    slots : int
    lag_ns : tuple of int
        Holds to choose from, from 0, ascending.
    hold : tuple, one a class, of runs
        Weights of the lags; each row has one sum, `hold_total`.
    hold_total : int
    hold_of_lead : float
        Nothing is held for more than this share of the time to its deadline.
    """

    begin: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$")]
    slot_ns: Annotated[int, Field(gt=0, lt=2**62)]
    slots: Annotated[int, Field(ge=1, le=100_000)]
    lag_ns: Annotated[tuple[Nanoseconds, ...], Field(min_length=1)]
    hold: tuple[tuple[tuple[Index, Weights], ...], ...]
    hold_total: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    hold_of_lead: Annotated[float, Field(ge=0, lt=1)]


class CapacityDocument(Document):
    """``capacity.json``: servers that nodes borrow from their clouds' pools.

    Attributes
    ----------
    planned : dict of str to runs
        By node, slot by slot; a node that borrows nothing in any slot is absent.
    now : dict of str to int
        The dynamic layer: what nodes are to have now, where that is not what is planned.
    """

    planned: dict[Name, tuple[tuple[Index, Count], ...]]
    now: dict[Name, Count]


class GuardsDocument(Document):
    """``guards.json``: bounds that a reader holds this bundle and the change to it against.

    Attributes
    ----------
    hold_ns_max : int
        No hold of any layer is longer.
    moved_share_max : float
        Weight that an endpoint's routes may move at once against those in force, as a share of all; 1: any. What the
        publisher allowed.
    reachable_share_min : float
        Of the targets that have a way in force now and whose stations are up, so many must have a live way by this one.
    """

    hold_ns_max: Nanoseconds
    moved_share_max: Annotated[float, Field(ge=0, le=1)]
    reachable_share_min: Annotated[float, Field(ge=0, le=1)]


PLATFORM_FILE: Final = "platform.json"
CLASSES_FILE: Final = "classes.json"
RELEASE_FILE: Final = "release.json"
CAPACITY_FILE: Final = "capacity.json"
GUARDS_FILE: Final = "guards.json"
SHARED_FILES: Final = (CAPACITY_FILE, CLASSES_FILE, GUARDS_FILE, PLATFORM_FILE, RELEASE_FILE)
MANIFEST_FILE: Final = "manifest.json"
ENVELOPE_FILE: Final = "envelope.json"


def routes_file(group: int) -> str:
    """Static layer of a source group."""
    return f"routes/{group:05d}.json"


def now_file(group: int) -> str:
    """Dynamic layer of a source group."""
    return f"now/{group:05d}.json"


def relations_file(group: int) -> str:
    """Known relations of a source group's endpoints."""
    return f"relations/{group:05d}.json"


def nifi_file(group: int) -> str:
    """What NiFi looks routes up in, of a source group."""
    return f"nifi/{group:05d}/routes.csv"
