"""What a bundle says, as typed documents that are known to fit each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from feed.bundle.bundle import Bundle
from feed.bundle.documents import (
    CAPACITY_FILE,
    CLASSES_FILE,
    GUARDS_FILE,
    PLATFORM_FILE,
    RELEASE_FILE,
    SHARED_FILES,
    CapacityDocument,
    ClassesDocument,
    Document,
    GuardsDocument,
    Manifest,
    NowDocument,
    PlatformDocument,
    RelationsDocument,
    ReleaseDocument,
    RoutesDocument,
    broken,
    nifi_file,
    now_file,
    read,
    relations_file,
    routes_file,
)
from router_core.slot_clock import SlotClock
from router_core.time_grid import TimeGrid

_DocumentT = TypeVar("_DocumentT", bound=Document)
_ValueT = TypeVar("_ValueT")


@dataclass(frozen=True, eq=False)
class Parsed:
    """The documents of a bundle, or of a package; those of source groups by their number.

    Attributes
    ----------
    manifest : Manifest
    platform : PlatformDocument
    classes : ClassesDocument
    release : ReleaseDocument
    capacity : CapacityDocument
    guards : GuardsDocument
    routes : mapping of int to RoutesDocument
    now : mapping of int to NowDocument
        Without groups for which everything is as planned.
    relations : mapping of int to RelationsDocument
    nifi : mapping of int to bytes
        ``routes.csv`` as the bundle carries it.
    """

    manifest: Manifest
    platform: PlatformDocument
    classes: ClassesDocument
    release: ReleaseDocument
    capacity: CapacityDocument
    guards: GuardsDocument
    routes: Mapping[int, RoutesDocument]
    now: Mapping[int, NowDocument]
    relations: Mapping[int, RelationsDocument]
    nifi: Mapping[int, bytes]

    def clock(self) -> SlotClock:
        """Return the slots of the static layer by the clock."""
        return SlotClock(self.release.grid())

    def grid(self) -> TimeGrid:
        """Return the slots of the static layer."""
        return self.release.grid()


class KnownDocuments:
    """Remembers each document as it was last read: what stays the same from bundle to bundle is read once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, Document]] = {}

    def read(self, model: type[_DocumentT], data: bytes, file: str) -> _DocumentT:
        """Do as `documents.read`."""
        known = self._known.get(file)
        if known is None or known[0] != data or not isinstance(known[1], model):
            self._known[file] = known = (data, read(model, data, file))
        document = known[1]
        assert isinstance(document, model)
        return document


def weights_at(runs: Sequence[tuple[int, _ValueT]], slot: int) -> _ValueT:
    """Return the value of runs that holds in a slot."""
    return runs[bisect_right(runs, slot, key=lambda run: run[0]) - 1][1]


def parse(bundle: Bundle, known: KnownDocuments | None = None) -> Parsed:
    """Read every file of a bundle or a package.

    Parameters
    ----------
    bundle : Bundle
    known : KnownDocuments, optional
        Documents of earlier bundles; with it a bundle that differs in little is read in little time.

    Raises
    ------
    RefusedBundleError
        MALFORMED or SCHEMA, naming file, place, rule and value.
    """
    files, manifest = bundle.files, bundle.manifest
    read_one = read if known is None else known.read

    def one(model: type[_DocumentT], file: str) -> _DocumentT:
        if file not in files:
            raise broken(file, "", "must be there", None)
        return read_one(model, files[file], file)

    platform = one(PlatformDocument, PLATFORM_FILE)
    if platform.topology != manifest.topology:
        raise broken(PLATFORM_FILE, "topology", "must be that of the manifest", platform.topology)
    classes, release = one(ClassesDocument, CLASSES_FILE), one(ReleaseDocument, RELEASE_FILE)
    if len(release.hold) != len(classes.classes):
        raise broken(RELEASE_FILE, "hold", f"must have a row for each of {len(classes.classes)} classes", release.hold)
    capacity, guards = one(CapacityDocument, CAPACITY_FILE), one(GuardsDocument, GUARDS_FILE)
    for node, counts in capacity.planned.items():
        if counts[-1][0] >= release.slots:
            raise broken(CAPACITY_FILE, f"planned.{node}", f"slots must be below {release.slots}", counts[-1])

    def of_groups(model: type[_DocumentT], name: Callable[[int], str]) -> dict[int, _DocumentT]:
        return {group: read_one(model, files[name(group)], name(group)) for group in groups if name(group) in files}

    groups = range(len(platform.groups))
    routes = of_groups(RoutesDocument, routes_file)
    now = of_groups(NowDocument, now_file)
    relations = of_groups(RelationsDocument, relations_file)
    nifi = {group: files[nifi_file(group)] for group in groups if nifi_file(group) in files}
    expected = set(SHARED_FILES)
    for numbers, name in ((routes, routes_file), (now, now_file), (relations, relations_file), (nifi, nifi_file)):
        expected |= {name(group) for group in numbers}
    for file in files:
        if file not in expected:
            raise broken(file, "", "must be a file that this version knows, of a group that there is", file)
    result = Parsed(manifest, platform, classes, release, capacity, guards, routes, now, relations, nifi)
    for group in groups:
        _check_group(result, group)
    return result


def _check_group(parsed: Parsed, group: int) -> None:
    """Refuse documents of a source group that do not fit the shared ones."""
    for of, name in ((parsed.routes, routes_file), (parsed.now, now_file), (parsed.relations, relations_file)):
        document = of.get(group)
        if document is not None and document.source != group:
            raise broken(name(group), "source", f"must be {group}", document.source)
    if group in parsed.routes:
        _check_routes(parsed, group)
    if group in parsed.now:
        _check_now(parsed, group)
    if group in parsed.relations:
        _check_relations(parsed, group)


def _check_routes(parsed: Parsed, group: int) -> None:
    groups, slots, stations = len(parsed.platform.groups), parsed.release.slots, parsed.platform.stations
    file = routes_file(group)
    for one in parsed.routes[group].targets:
        place = f"routes to group {one.target}"
        if one.target >= groups:
            raise broken(file, place, f"must be to groups below {groups}", one.target)
        if one.weights[-1][0] >= slots:
            raise broken(file, place, f"slots must be below {slots}", one.weights[-1][0])
        highest = max(max(way.stations) for way in one.ways)
        if highest >= stations:
            raise broken(file, place, f"stations must be below {stations}", highest)


def _check_now(parsed: Parsed, group: int) -> None:
    groups, file = len(parsed.platform.groups), now_file(group)
    static = parsed.routes.get(group)
    ways = {} if static is None else {one.target: len(one.ways) for one in static.targets}
    for target, weights in parsed.now[group].weights:
        if len(weights) != ways.get(target):
            rule = f"must be of the {ways.get(target, 0)} ways of the static layer"
            raise broken(file, f"weights to group {target}", rule, weights)
    for target, _, _ in parsed.now[group].holds:
        if target >= groups:
            raise broken(file, "holds", f"must be to groups below {groups}", target)


def _check_relations(parsed: Parsed, group: int) -> None:
    platform, file = parsed.platform, relations_file(group)
    for name, rows in parsed.relations[group].endpoints.items():
        if platform.endpoints.get(name) != group:
            raise broken(file, f"endpoints.{name}", "must be an endpoint of the group", platform.endpoints.get(name))
        for row in rows:
            if row[0] not in platform.endpoints:
                raise broken(file, f"endpoints.{name}", "must name targets that are endpoints", row[0])
            if row[4] >= len(parsed.classes.classes):
                raise broken(file, f"endpoints.{name}", f"classes must be below {len(parsed.classes.classes)}", row[4])
