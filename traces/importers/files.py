"""From files to a topology and a matrix series: the one entry of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from traces.importers.reading import (
    FILE_FORMATS,
    FileFormat,
    Options,
    Reading,
    Snapshot,
    Source,
    open_source,
)
from traces.importers.repetita import read_repetita
from traces.importers.screen import against_lines, against_series
from traces.importers.sndlib import read_sndlib
from traces.importers.topology import ImportedTopology, read_topology
from traces.importers.totem import read_totem
from traces.matrices import Clock, MatrixSeries

_READERS: Final = {"sndlib": read_sndlib, "totem": read_totem, "repetita": read_repetita}
# Where neither the files nor the user say when a matrix holds: hours from here, which the result's notes tell.
DEFAULT_START: Final = np.datetime64("1970-01-01T00:00:00", "s")
DEFAULT_STEP_S: Final = 3_600
# Entries of all matrices together: 2 GB.
CELLS_MAX: Final = 2**28


@dataclass(frozen=True, eq=False)
class ImportResult:
    """What an import yields.

    Attributes
    ----------
    topology : ImportedTopology
    series : MatrixSeries or None
        The matrices in the order of time; None if a topology alone was given.
    quarantined : tuple of (str, str)
        Name of each file that was set aside, as the user gave it, and the reason; in the order given.
    interval_s : int or None
        Length of each matrix's interval [s]: as the options or the files state it, or the step of matrices that are
        numbered for want of times; None if there is none of these.
    notes : tuple of str
        What was assumed or left out, a sentence each.
    file_format : str
        "sndlib", "totem", "repetita", or "npz" where only lines of an `.npz` file were given.
    """

    topology: ImportedTopology
    series: MatrixSeries | None
    quarantined: tuple[tuple[str, str], ...]
    interval_s: int | None
    notes: tuple[str, ...]
    file_format: str


def import_files(
    paths: Iterable[str | Path],
    file_format: FileFormat | None = None,
    *,
    topology: str | Path | None = None,
    options: Options | None = None,
) -> ImportResult:
    """Import a topology and matrices from files of one format.

    A matrix whose file is corrupt (empty, not XML, another format, a wrong unit, an unknown node, a number that is
    none or is negative) or absurd (`traces.importers.screen`) is set aside by name and reason, and the rest goes on.
    A broken topology is an error: nothing can go on without it.

    Parameters
    ----------
    paths : iterable of str or Path
        The files, in any order; where they state no time, their order is the order of time. One of them holds the
        topology, or is an `.npz` file with `links` or `links_undirected`.
    file_format : "sndlib", "totem", "repetita" or None
        None tells it by the content; then all files that have a known format must have the same.
    topology : str or Path, optional
        The file with the topology, if it is not among `paths`.
    options : Options, optional
        What the user states about files that do not say it themselves.

    Raises
    ------
    BadInputError
        If a file cannot be opened, there is no topology or more than one, formats are mixed, two matrices hold at one
        time, or no matrix of several remains.
    """
    if file_format is not None and file_format not in FILE_FORMATS:
        raise BadInputError("format", f"must be one of {', '.join(FILE_FORMATS)}", file_format)
    chosen = Options() if options is None else options
    named = [Path(path) for path in paths]
    if topology is not None and Path(topology) not in named:
        named.append(Path(topology))
    if not named:
        raise BadInputError("files", "at least one is needed", "none")
    readings, found_format = _read(named, file_format, chosen)
    the_topology = _the_topology(readings)
    notes = [note for reading in readings for note in reading.notes]
    series, quarantined, interval_s = _series(readings, the_topology, chosen, notes)
    return ImportResult(
        topology=the_topology,
        series=series,
        quarantined=quarantined,
        interval_s=interval_s,
        notes=tuple(dict.fromkeys(notes)),
        file_format=found_format,
    )


def _read(paths: Sequence[Path], stated: FileFormat | None, options: Options) -> tuple[list[Reading], str]:
    """Read all files; the stated or found format, too."""
    readings: list[Reading] = []
    found: dict[str, str] = {}
    for path in paths:
        # One file at a time: the elements of a parsed file take a hundred times the memory of its numbers.
        source = open_source(path)
        readings.append(_reading(source, stated, options))
        if source.file_format not in (None, "npz") and source.file_format not in found:
            found[str(source.file_format)] = source.name
    if stated is None and len(found) > 1:
        shown = ", ".join(f"{name} is {kind}" for kind, name in found.items())
        raise BadInputError("files", "must be of one format, or the format must be stated", shown)
    if stated is None and not found and all(reading.topology is None for reading in readings):
        fault = readings[0].fault
        assert fault is not None, "a file of no known format has a fault"
        raise fault.within(readings[0].name)
    return readings, stated or next(iter(found), "npz")


def _reading(source: Source, stated: FileFormat | None, options: Options) -> Reading:
    if source.file_format == "npz":
        topology = read_topology(source.path)
        note = f"{source.name}: the lines are taken from this file, which has no coordinates; its demand is not read"
        return Reading(source.name, replace(topology, name=options.name or topology.name), notes=(note,))
    if source.file_format is None:
        return Reading(source.name, fault=source.fault)
    if stated not in (None, source.file_format):
        return Reading(
            source.name, fault=BadInputError("file", f"must be of the stated format {stated}", source.file_format)
        )
    try:
        return _READERS[source.file_format](source, options)
    except BadInputError as error:
        raise error.within(source.name) from None


def _the_topology(readings: Sequence[Reading]) -> ImportedTopology:
    with_one = [reading for reading in readings if reading.topology is not None]
    if not with_one:
        faults = [f"{reading.name}: {reading.fault}" for reading in readings if reading.fault is not None]
        rule = "one file must hold the topology, or be an .npz file with links"
        raise BadInputError("topology", rule, "; ".join(faults) or "matrices alone")
    first = with_one[0].topology
    assert first is not None
    for other in with_one[1:]:
        assert other.topology is not None
        if not first.same_lines(other.topology):
            rule = f"must be one, and the same as that of {with_one[0].name}"
            raise BadInputError("topology", rule, "other nodes or lines", other.name)
    return first


def _series(
    readings: Sequence[Reading], topology: ImportedTopology, options: Options, notes: list[str]
) -> tuple[MatrixSeries | None, tuple[tuple[str, str], ...], int | None]:
    measured = [reading for reading in readings if not reading.planned and (reading.snapshot or reading.fault)]
    planned = [reading for reading in readings if reading.planned]
    if measured and planned:
        names = ", ".join(reading.name for reading in planned)
        notes.append(f"{names}: the demands beside the topology are a design target; the other files' are taken")
    given = measured or planned
    if not given:
        return None, (), options.interval_s
    quarantine = _Quarantine(given)
    times, step_s = _times(quarantine, options, notes)
    matrices = _matrices(quarantine, topology, options)
    quarantine.check_any_left()
    kept = sorted(matrices, key=lambda index: times[index])
    for before, after in pairwise(kept):
        if times[before] == times[after]:
            rule = f"two matrices must not hold at one time, and {given[before].name} does"
            raise BadInputError("time", rule, str(times[after]), given[after].name)
    series = MatrixSeries(
        demand_mbps=np.stack([matrices[index] for index in kept]),
        t_utc=np.array([times[index] for index in kept], dtype="datetime64[s]"),
        nodes=topology.node_names,
        links=topology.lines,
        directed=topology.directed,
        capacity_mbps=topology.rate_mbps,
        igp_metric=topology.metric,
    )
    local = float(np.trace(series.demand_mbps, axis1=1, axis2=2).sum())
    if local > 0:
        share = local / float(series.demand_mbps.sum())
        notes.append(f"{share:.1%} of all demand stays at its node: it is kept in the series and uses no line")
    spans = {quarantine.kept[index].span_s for index in kept}
    return series, quarantine.report(), _interval_s(spans, options.interval_s, step_s, notes)


def _matrices(quarantine: _Quarantine, topology: ImportedTopology, options: Options) -> dict[int, NDArray[np.float64]]:
    """Return the matrix of each snapshot that stands up to the topology and the screen; set the others aside."""
    cells = len(quarantine.kept) * topology.node_count**2
    if cells > CELLS_MAX:
        rule = f"{len(quarantine.kept)} of {topology.node_count} nodes must have at most {CELLS_MAX} entries together"
        raise BadInputError("matrices", rule, cells)
    node_of_id = _node_of_id(quarantine, topology, options)
    matrices: dict[int, NDArray[np.float64]] = {}
    for index, snapshot in list(quarantine.kept.items()):
        try:
            matrix = snapshot.matrix(node_of_id, topology.node_count)
        except BadInputError as error:
            quarantine.set_aside(index, error)
            continue
        absurd = None
        if not quarantine.given[index].open_ended:
            absurd = against_lines(matrix, topology, options.headroom)
        if absurd is not None:
            quarantine.set_aside(index, absurd)
        else:
            matrices[index] = matrix
    totals = np.array([float(np.trace(matrix)) for matrix in matrices.values()])
    # No line bounds what stays at its node: it is held against the other matrices.
    order = list(matrices)
    for position in np.flatnonzero(against_series(totals)).tolist():
        rule = f"must be in keeping with the other matrices, whose median is {np.median(totals):g} Mbit/s"
        shown = f"{totals[position]:g} Mbit/s"
        quarantine.set_aside(order[position], BadInputError("demand within nodes", rule, shown))
    return {index: matrices[index] for index in quarantine.kept}


class _Quarantine:
    """Which of the given matrices are kept, by their position, and why the others are not."""

    def __init__(self, given: Sequence[Reading]) -> None:
        self.given = given
        self.kept: dict[int, Snapshot] = {}
        self._reasons: dict[int, BadInputError] = {}
        for index, reading in enumerate(given):
            if reading.snapshot is not None:
                self.kept[index] = reading.snapshot
            else:
                assert reading.fault is not None, "a file without a matrix says why"
                self._reasons[index] = reading.fault

    def set_aside(self, index: int, reason: BadInputError) -> None:
        self._reasons[index] = reason
        self.kept.pop(index)

    def check_any_left(self) -> None:
        if self.kept:
            return
        if len(self._reasons) == 1:
            index, reason = next(iter(self._reasons.items()))
            raise reason.within(self.given[index].name)
        shown = "; ".join(f"{name}: {reason}" for name, reason in self.report())
        raise BadInputError("matrices", f"at least one of {len(self.given)} must be usable", shown)

    def report(self) -> tuple[tuple[str, str], ...]:
        return tuple((self.given[index].name, str(self._reasons[index])) for index in sorted(self._reasons))


def _times(quarantine: _Quarantine, options: Options, notes: list[str]) -> tuple[dict[int, np.datetime64], int | None]:
    """Return the time of each kept matrix, and the step if they are numbered for want of times.

    Where some files state theirs, those that do not are set aside.
    """
    stated = {index: item.t_utc for index, item in quarantine.kept.items() if item.t_utc is not None}
    if stated:
        for index in [index for index in quarantine.kept if index not in stated]:
            quarantine.set_aside(index, BadInputError("time", "must be stated, as the other files do", "nothing"))
        return stated, None
    clock = Clock(
        DEFAULT_START if options.start is None else options.start,
        DEFAULT_STEP_S if options.interval_s is None else options.interval_s,
    )
    if quarantine.kept:
        whose = "stated" if options.start is not None and options.interval_s is not None else "assumed"
        notes.append(
            f"the files state no time: they are numbered in the order given from {clock.start}, "
            f"{clock.step_s} s apart ({whose})"
        )
    # A matrix that is set aside keeps its place in time, so that the others' times do not depend on it.
    times = clock.times(len(quarantine.given))
    return {index: times[index] for index in quarantine.kept}, clock.step_s


def _node_of_id(quarantine: _Quarantine, topology: ImportedTopology, options: Options) -> dict[str, int]:
    """Return the node of each id: by its name, or by its number where the format counts nodes or no id is a name."""
    named = {name: index for index, name in enumerate(topology.node_names)}
    numbered = [item for item in quarantine.kept.values() if item.numbering != "names" and item.ids]
    count = topology.node_count
    if not numbered:
        return named
    if numbered[0].numbering == "positions":
        first = 0
    elif any(label in named for item in numbered for label in item.ids):
        return named
    elif options.first_node_id is not None:
        first = options.first_node_id
    else:
        first = _first_id(numbered, count)
    return {str(first + index): index for index in range(count)}


def _first_id(snapshots: Sequence[Snapshot], count: int) -> int:
    """Find whether `count` nodes are numbered from 0 or from 1: a matrix with the first or the last node tells."""
    fits = {0: False, 1: False}
    for item in snapshots:
        # Longer numbers are nobody's; Python's int() takes quadratic time on a long row of digits.
        short = all(label.isascii() and label.isdigit() and len(label) < 10 for label in item.ids)
        ids = [int(label) for label in item.ids] if short else [-1]
        from_0, from_1 = min(ids) >= 0 and max(ids) < count, min(ids) >= 1 and max(ids) <= count
        if from_0 != from_1:
            fits[0 if from_0 else 1] = True
    if fits[0] == fits[1]:
        rule = f"the number of the first of {count} nodes must be stated: the ids fit 0 and 1 alike, or neither"
        raise BadInputError("first_node_id", rule, "not stated")
    return 0 if fits[0] else 1


def _interval_s(spans: set[int | None], stated: int | None, step_s: int | None, notes: list[str]) -> int | None:
    """Return the length of the matrices' interval: what the user states, else what all files do, else the step."""
    if stated is not None:
        return stated
    if len(spans) > 1:
        notes.append("the files state intervals of different lengths: none is taken for all")
        return step_s
    return next(iter(spans), None) or step_s
