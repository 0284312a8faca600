"""SNDlib's XML: networks with links and modules, and matrices of measured demand.

What the format means is told by SNDlib's own description of the network and model files, and by Orlowski et al.,
"SNDlib 1.0 - Survivable Network Design Library", Networks 55 (2010): a demand takes ``demandValue * routingUnit`` of a
link's capacity, several demands of one pair add up, and a link may be given any number of its additional modules.

What this importer settles:

- A link's rate is its installed capacity; where it has none, that of one of its largest module, which is noted.
- Links carry both ways alike unless `Options.directed` says otherwise: that is in another file of SNDlib's.
- A file with links is the topology. Demands that stand in it are a design target, used only where no other matrix is
  given, and not held against the links' capacity where modules may be added to it.
"""

from __future__ import annotations

import re
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
    number,
    text_of,
    time_of,
)
from traces.importers.topology import ImportedTopology, drawn
from traces.matrices import checked_names

_UNIT: Final = re.compile(r"([KMGT]?)BITPERSEC", re.ASCII | re.IGNORECASE)
_TIME: Final = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:-?(\d\d):?(\d\d))?)?)?", re.ASCII)
_SPAN: Final = re.compile(r"(\d{1,4})\s*(min|hour|day)s?", re.ASCII)
_SPAN_S: Final = {"min": 60, "hour": 3_600, "day": 86_400}


def read_sndlib(source: Source, options: Options) -> Reading:
    """Read one file: a topology if it has links, a snapshot if it has demands.

    Raises
    ------
    BadInputError
        If the topology is broken. A broken matrix is no error here: it is `Reading.fault`.
    """
    assert source.root is not None, "the source is XML"
    root = source.root
    structure = child(root, "networkStructure")
    links = children(child(structure, "links"), "link")
    demands = children(child(root, "demands"), "demand")
    notes: list[str] = []
    topology = _topology(source, structure, links, options, notes) if links else None
    open_ended = any(children(child(link, "additionalModules"), "addModule") for link in links)
    try:
        if not demands:
            fault = None if links else BadInputError("network", "must hold links or demands", "neither")
            return Reading(source.name, topology, fault=fault, notes=tuple(notes))
        snapshot = _snapshot(root, demands, options)
    except BadInputError as error:
        return Reading(source.name, topology, fault=error, notes=tuple(notes))
    return Reading(
        source.name,
        topology,
        snapshot,
        planned=bool(links),
        open_ended=open_ended,
        notes=tuple(notes),
    )


def _unit(root: Element, options: Options) -> str:
    meta = child(root, "meta")
    stated = child(meta, "unit")
    if stated is None:
        if options.unit is None:
            raise BadInputError("meta.unit", f"must be there, or be stated as one of {', '.join(UNITS)}", "nothing")
        return options.unit
    text = (stated.text or "").strip()
    found = _UNIT.fullmatch(text)
    if not found:
        raise BadInputError("meta.unit", "must be a rate such as MBITPERSEC", text)
    return f"{found[1].lower()}bps"


def _topology(
    source: Source, structure: Element | None, links: list[Element], options: Options, notes: list[str]
) -> ImportedTopology:
    unit = _unit(source.root, options) if source.root is not None else ""
    nodes = child(structure, "nodes")
    names: list[str] = []
    xy: list[tuple[float, float]] = []
    for position, node in enumerate(children(nodes, "node")):
        place = f"node[{position}]"
        names.append(attribute(node, "id", place))
        coordinates = child(node, "coordinates")
        if coordinates is not None:
            x, y = (number(text_of(coordinates, axis, place), f"{place}.{axis}") for axis in "xy")
            xy.append((x, y))
    checked_names(tuple(names), len(names), "nodes")
    index = {name: position for position, name in enumerate(names)}
    lines: list[tuple[int, int]] = []
    rates: list[float] = []
    uninstalled = 0
    for position, link in enumerate(links):
        place = f"link[{position}] {link.get('id', '')}".rstrip()
        ends = []
        for end in ("source", "target"):
            name = text_of(link, end, place)
            if name not in index:
                raise BadInputError(f"{place}.{end}", "must be a node of the network", name)
            ends.append(index[name])
        lines.append((ends[0], ends[1]))
        installed = child(link, "preInstalledModule")
        rate = _capacity(installed, unit, f"{place}.preInstalledModule") if installed is not None else 0.0
        if rate == 0:
            modules = children(child(link, "additionalModules"), "addModule")
            rate = max((_capacity(module, unit, f"{place}.addModule") for module in modules), default=0.0)
            uninstalled += 1
        if rate == 0:
            raise BadInputError(place, "must have an installed capacity or an additional module", "none")
        rates.append(rate)
    if uninstalled:
        notes.append(
            f"{uninstalled} of {len(links)} links have no installed capacity: one of their largest module is taken"
        )
    geographical = nodes is not None and nodes.get("coordinatesType", "geographical") == "geographical"
    places, located = drawn(xy, len(names), geographical, notes)
    return ImportedTopology(
        name=options.name or Path(source.name).stem,
        node_names=tuple(names),
        xy=places,
        lines=np.array(lines, dtype=np.int64),
        directed=options.directed,
        rate_mbps=np.array(rates),
        located=located,
    )


def _capacity(module: Element, unit: str, place: str) -> float:
    return amount(text_of(module, "capacity", place), unit, place)


def _snapshot(root: Element, demands: list[Element], options: Options) -> Snapshot:
    unit = _unit(root, options)
    meta = child(root, "meta")
    time, granularity = child(meta, "time"), child(meta, "granularity")
    span = _SPAN.fullmatch((granularity.text or "").strip()) if granularity is not None else None
    entries = Entries()
    for position, demand in enumerate(demands):
        place = f"demand[{position}] {demand.get('id', '')}".rstrip()
        value = amount(text_of(demand, "demandValue", place), unit, f"{place}.demandValue")
        routing = child(demand, "routingUnit")
        if routing is not None:
            # The unit of capacity is in routingUnit already; the product is bounded like any amount.
            value = amount(repr(value * number(routing.text or "", f"{place}.routingUnit")), "mbps", place)
        entries.add(text_of(demand, "source", place), text_of(demand, "target", place), value)
    return entries.snapshot(
        None if time is None else _time((time.text or "").strip()),
        int(span[1]) * _SPAN_S[span[2]] or None if span else None,
        "names",
    )


def _time(text: str) -> np.datetime64:
    """Return the begin of a time such as 2004, 200403, 20040301 or 20040301-0600, or of an ISO date and time."""
    found = _TIME.fullmatch(text)
    if not found:
        return time_of(text, "meta.time")
    year, month, day, hour, minute = found.groups()
    return time_of(f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:00", "meta.time")
