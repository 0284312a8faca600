"""The documents that a bundle holds, as typed models: unknown fields are refused, and nothing is coerced.

Groups, stations and slots go by their numbers, as in the network that the topology digest names; endpoints go by name.
What changes with the hour is written as *runs*: pairs of the first slot that a value holds for and the value, from
slot 0, ascending; a value holds until the next run.

There is one way to write a document (`canonical_json`), and `read` takes no other: what two readers could understand
differently (a name twice, a number with a point) is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import lt
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json, to_json

from feed.refusals import Refusal, RefusedBundleError
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind

SCHEMA_VERSION: Final = 1
WAYS: Final = len(Mode) * len(TaskKind) * (PRIORITY_MAX + 1)
COUNT_MAX: Final = 2**31 - 1

Index = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Nanoseconds = Annotated[int, Field(ge=0, lt=2**62)]
NAME_PATTERN: Final = r"^[^\x00-\x1f\x7f/\\]+$"
NAME_CHARS_MAX: Final = 200
WAYS_MAX: Final = 64
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARS_MAX, pattern=NAME_PATTERN)]
ModeIndex = Annotated[int, Field(ge=0, lt=len(Mode))]
KindIndex = Annotated[int, Field(ge=0, lt=len(TaskKind))]
Priority = Annotated[int, Field(ge=0, le=PRIORITY_MAX)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Weights = Annotated[tuple[Count, ...], Field(min_length=1, max_length=WAYS_MAX)]


PATH_PATTERN: Final = r"^[a-z0-9-]+(/[a-z0-9-]+)*\.(json|csv)$"
SHOWN_CHARS: Final = 80


class Document(BaseModel):
    """A part of a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


_DocumentT = TypeVar("_DocumentT", bound=Document)


def canonical_json(value: object) -> bytes:
    """Write a model, or the plain values of one, in the one way: fields in their order, no blanks, UTF-8."""
    return to_json(value)


def read(model: type[_DocumentT], data: bytes, file: str) -> _DocumentT:
    """Read a document.

    Raises
    ------
    RefusedBundleError
        MALFORMED if it is no JSON or not written in the one way, SCHEMA if it breaks a rule of the model; each with
        file, place, rule and value.
    """
    try:
        document = model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise RefusedBundleError(Refusal.MALFORMED, f"{file}: {first['msg']}") from None
        raise broken(file, ".".join(map(str, first["loc"])), first["msg"], _found(data, first)) from None
    if canonical_json(document) != data:
        rule = "must be written in the one way that the format has: no blanks, no name twice, fields in their order"
        raise RefusedBundleError(Refusal.MALFORMED, f"{file}: {rule}")
    return document


def broken(file: str, place: str, rule: str, value: object) -> RefusedBundleError:
    """Return the refusal of what breaks a rule of a document."""
    shown = repr(value)
    shown = shown if len(shown) <= SHOWN_CHARS else f"{shown[:SHOWN_CHARS]}..."
    where = f"{file}: {place}" if place else file
    return RefusedBundleError(Refusal.SCHEMA, f"{where}: {rule.removeprefix('Value error, ')} (got {shown})")


def _found(data: bytes, error: Any) -> object:
    """What stands at the place of an error; of a rule between fields, the names of the fields."""
    value = error["input"] if "input" in error else from_json(data)
    if isinstance(value, BaseModel):
        return sorted(type(value).model_fields)
    return value


def _ascending(keys: Sequence[Any], what: str) -> None:
    # Without a line of Python a key: a bundle has tens of thousands of rows of them.
    if not all(map(lt, keys, islice(keys, 1, None))):
        raise ValueError(f"must be ascending by {what}, none twice")


def _runs(runs: Sequence[tuple[int, Any]]) -> Sequence[tuple[int, Any]]:
    """Check the slots of runs."""
    if not runs or runs[0][0] != 0:
        raise ValueError("must begin with slot 0")
    if len(runs) > 1:
        _ascending([slot for slot, _ in runs], "slot")
    return runs


def _weighed(of_all: Iterable[tuple[int, tuple[int, ...]]], what: str) -> None:
    if not all(map(any, [weights for _, weights in of_all])):
        raise ValueError(f"weights of each {what} must have a positive sum")


def _listed(path: str) -> str:
    if path in (MANIFEST_FILE, ENVELOPE_FILE):
        raise ValueError("must be a file that the manifest can list")
    return path


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

    path: Annotated[str, Field(pattern=PATH_PATTERN, max_length=200), AfterValidator(_listed)]
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("created", "valid_from", "soft_expiry", "hard_expiry"):
            if getattr(self, name).utcoffset() != timedelta(0):
                raise ValueError(f"{name} must be in UTC")
        if not self.valid_from < self.soft_expiry <= self.hard_expiry:
            raise ValueError("must have valid_from < soft_expiry <= hard_expiry")
        if self.restores is not None and self.restores >= self.epoch:
            raise ValueError("must restore an earlier epoch")
        _ascending([entry.path for entry in self.files], "path")
        _ascending(list(self.inputs), "name of an input")
        _ascending(list(self.provenance), "name of a fact of provenance")
        return self


class GroupEntry(Document):
    """A group of endpoints that routing does not tell apart.

    Attributes
    ----------
    name : str
        Its homes joined by ``+``, with ``.2``, ``.3`` behind where several groups have the same homes; unique.
    homes : tuple of str
    """

    name: Annotated[str, Field(min_length=1, max_length=2_000, pattern=NAME_PATTERN)]
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({group.name for group in self.groups}) < len(self.groups):
            raise ValueError("names of groups must be unique")
        if any(group >= len(self.groups) for group in self.endpoints.values()):
            raise ValueError(f"groups of endpoints must be below {len(self.groups)}")
        _ascending(list(self.endpoints), "endpoint")
        return self


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
    ways: Annotated[tuple[Way, ...], Field(min_length=1, max_length=WAYS_MAX)]
    weights: Annotated[tuple[tuple[Index, Weights], ...], AfterValidator(_runs)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if {len(weights) for _, weights in self.weights} != {len(self.ways)}:
            raise ValueError(f"must have a weight for each of {len(self.ways)} ways in every run")
        _weighed(self.weights, "run")
        return self


class RoutesDocument(Document):
    """``routes/<group>.json``, the static layer of one source group: targets ascending, one without a way is absent."""

    source: Index
    targets: tuple[TargetRoutes, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ascending([one.target for one in self.targets], "target")
        return self


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

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ascending([target for target, _ in self.weights], "target")
        _weighed(self.weights, "target")
        _ascending([target for target, _, _ in self.holds], "target")
        return self


class RelationsDocument(Document):
    """``relations/<group>.json``: by endpoint, demand classes of relations that the table of fallbacks does not give.

    Attributes
    ----------
    source : int
    endpoints : dict of str to tuple of (target, mode, kind, priority, class)
        Of every endpoint of the group; targets are names.
    """

    source: Index
    endpoints: dict[Name, tuple[tuple[Name, ModeIndex, KindIndex, Priority, Index], ...]]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ascending(list(self.endpoints), "endpoint")
        for name, rows in self.endpoints.items():
            _ascending([row[:4] for row in rows], f"target, mode, kind and priority in {name}")
        return self


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
    priority: Priority
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        if max(self.fallback) >= len(self.classes):
            raise ValueError(f"fallback must name classes below {len(self.classes)}")
        if len({one.name for one in self.classes}) < len(self.classes):
            raise ValueError("names of classes must be unique")
        return self


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
    hold: tuple[Annotated[tuple[tuple[Index, Weights], ...], AfterValidator(_runs)], ...]
    hold_total: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    hold_of_lead: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.grid()
        if self.lag_ns[0] != 0:
            raise ValueError("lag_ns must begin with 0")
        _ascending(self.lag_ns, "lag")
        for runs in self.hold:
            if runs[-1][0] >= self.slots:
                raise ValueError(f"slots of hold must be below {self.slots}")
            if any(len(weights) != len(self.lag_ns) or sum(weights) != self.hold_total for _, weights in runs):
                raise ValueError(f"hold must have {len(self.lag_ns)} weights of sum {self.hold_total} in every run")
        return self

    def grid(self) -> TimeGrid:
        """Return the slots; `ValueError` if they are none."""
        try:
            return TimeGrid(datetime.fromisoformat(self.begin), self.slot_ns, self.slots)
        except BadInputError as error:
            raise ValueError(f"{error.place} {error.rule}") from None


class CapacityDocument(Document):
    """``capacity.json``: servers that nodes borrow from their clouds' pools.

    Attributes
    ----------
    planned : dict of str to runs
        By node, slot by slot; a node that borrows nothing in any slot is absent.
    now : dict of str to int
        The dynamic layer: what nodes are to have now, where that is not what is planned.
    """

    planned: dict[Name, Annotated[tuple[tuple[Index, Count], ...], AfterValidator(_runs)]]
    now: dict[Name, Count]

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ascending(list(self.planned), "node")
        _ascending(list(self.now), "node")
        return self


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
NIFI_NAMES_FILE: Final = "nifi/names.csv"
SHARED_FILES: Final = (CAPACITY_FILE, CLASSES_FILE, GUARDS_FILE, NIFI_NAMES_FILE, PLATFORM_FILE, RELEASE_FILE)
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
