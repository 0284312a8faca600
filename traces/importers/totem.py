"""TOTEM's XML: intra-domain traffic matrices, and the domain file with nodes and links.

The elements are those of the user guide of the TOTEM toolbox (chapters on the network and the traffic matrix format).

What this importer settles:

- The time is that of ``<date>``, UTC where it names no zone.
- The guide gives ``<duration>`` in minutes, published matrices have it in seconds (900 for a quarter of an hour). It is
  read as seconds, which is noted; state the interval where it is minutes.
- Links of a domain file carry one way, as the format says. A link that is down or leads to another domain is left out,
  which is noted, and so is a node that is down.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np

from router_core.errors import BadInputError
from traces.importers.reading import (
    UNITS,
    Entries,
    Options,
    Reading,
    Snapshot,
    Source,
    amount,
    attribute,
    child,
    children,
    local_name,
    number,
    text_of,
    time_of,
)
from traces.importers.topology import ImportedTopology, drawn
from traces.matrices import checked_names

SPAN_S_MAX: Final = 366 * 86_400


def read_totem(source: Source, options: Options) -> Reading:
    """Read one file: a traffic matrix or a domain.

    Raises
    ------
    BadInputError
        If the domain is broken. A broken matrix is no error here: it is `Reading.fault`.
    """
    assert source.root is not None, "the source is XML"
    if local_name(source.root).lower() == "domain":
        notes: list[str] = []
        return Reading(source.name, _domain(source, source.root, options, notes), notes=tuple(notes))
    try:
        snapshot = _snapshot(source.root, options)
    except BadInputError as error:
        return Reading(source.name, fault=error)
    notes = []
    if snapshot.span_s is not None:
        notes.append("durations of traffic matrices are read as seconds")
    return Reading(source.name, snapshot=snapshot, notes=tuple(notes))


def _unit(info: Element | None, options: Options) -> str:
    found = [unit for unit in children(child(info, "units"), "unit") if unit.get("type") == "bandwidth"]
    if not found:
        if options.unit is None:
            rule = f"must state the unit of bandwidth, or it must be given as one of {', '.join(UNITS)}"
            raise BadInputError("info.units", rule, "nothing")
        return options.unit
    text = attribute(found[0], "value", "info.units.unit")
    if len(found) > 1 or text.lower() not in UNITS:
        raise BadInputError(
            "info.units.unit", f"must be one of {', '.join(UNITS)}", [unit.get("value") for unit in found]
        )
    return text.lower()


def _snapshot(root: Element, options: Options) -> Snapshot:
    info, matrix = child(root, "info"), child(root, "IntraTM")
    if matrix is None:
        raise BadInputError("TrafficMatrixFile", "must hold a matrix between the nodes of a domain (IntraTM)", "none")
    unit = _unit(info, options)
    date, duration = child(info, "date"), child(info, "duration")
    span_s: int | None = None
    if duration is not None:
        seconds = number(duration.text or "", "info.duration")
        if not 0 < seconds <= SPAN_S_MAX or seconds != int(seconds):
            raise BadInputError("info.duration", f"must be whole seconds in 1..{SPAN_S_MAX}", duration.text)
        span_s = int(seconds)
    entries = Entries()
    seen: set[tuple[str, str]] = set()
    for row in children(matrix, "src"):
        source = attribute(row, "id", "src")
        for cell in children(row, "dst"):
            target = attribute(cell, "id", f"src {source}, dst")
            place = f"src {source}, dst {target}"
            if (source, target) in seen:
                raise BadInputError(place, "an entry of a matrix occurs once", cell.text)
            seen.add((source, target))
            entries.add(source, target, amount(cell.text or "", unit, place))
    if not seen:
        raise BadInputError("IntraTM", "must have an entry", "none")
    return entries.snapshot(None if date is None else time_of(date.text or "", "info.date"), span_s, "either")


def _domain(source: Source, root: Element, options: Options, notes: list[str]) -> ImportedTopology:
    unit = _unit(child(root, "info"), options)
    topology = child(root, "topology")
    names: list[str] = []
    xy: list[tuple[float, float]] = []
    down: set[str] = set()
    for position, node in enumerate(children(child(topology, "nodes"), "node")):
        place = f"node[{position}]"
        name = attribute(node, "id", place)
        if _is(node, "status", "DOWN"):
            down.add(name)
            continue
        names.append(name)
        location = child(node, "location")
        if location is not None:
            x, y = (number(attribute(location, axis, place), f"{place}.{axis}") for axis in ("longitude", "latitude"))
            xy.append((x, y))
    checked_names(tuple(names), len(names), "nodes")
    index = {name: position for position, name in enumerate(names)}
    lines: list[tuple[int, int]] = []
    rates: list[float] = []
    left_out: list[str] = []
    for position, link in enumerate(children(child(topology, "links"), "link")):
        place = f"link[{position}] {link.get('id', '')}".rstrip()
        if _is(link, "status", "DOWN") or _is(link, "type", "INTER"):
            left_out.append(place)
            continue
        ends: list[str] = []
        for side in ("from", "to"):
            end = child(link, side)
            if end is None:
                raise BadInputError(place, f"must have a <{side}>", "nothing")
            ends.append(attribute(end, "node", f"{place}.{side}"))
        if not down.isdisjoint(ends):
            left_out.append(place)
            continue
        for name in ends:
            if name not in index:
                raise BadInputError(place, "ends must be nodes of the domain", name)
        lines.append((index[ends[0]], index[ends[1]]))
        rates.append(amount(text_of(link, "bw", place), unit, f"{place}.bw"))
    if down:
        notes.append(f"nodes that are down are left out: {', '.join(sorted(down))}")
    if left_out:
        notes.append(f"links that are down or leave the domain are left out: {', '.join(left_out)}")
    places, located = drawn(xy, len(names), True, notes)
    return ImportedTopology(
        name=options.name or Path(source.name).stem,
        node_names=tuple(names),
        xy=places,
        lines=np.array(lines, dtype=np.int64).reshape(-1, 2),
        directed=True,
        rate_mbps=np.array(rates),
        located=located,
    )


def _is(element: Element, name: str, value: str) -> bool:
    found = child(element, name)
    return found is not None and (found.text or "").strip().upper() == value
