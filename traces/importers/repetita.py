"""REPETITA's text files: a graph of directed edges, and lists of demands; rates in kbit/s.

The format is that of the REPETITA framework (Gay, Schaus and Vissicchio, "REPETITA: Repeatable Experiments for
Performance Evaluation of Traffic-Engineering Algorithms", 2017). Nodes are numbered from 0 in the order of the file;
several edges may join one pair, and several demands of one pair add up. The edges' delay is not kept: a scenario's
lines take theirs from the distance. The files state no time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from router_core.errors import BadInputError
from traces.importers.reading import Entries, Options, Reading, Snapshot, Source, amount, number, whole
from traces.importers.topology import ImportedTopology, drawn

COUNT_MAX: Final = 10_000_000
_NODE_FIELDS: Final = ("label", "x", "y")
_EDGE_FIELDS: Final = ("label", "src", "dest", "weight", "bw", "delay")
_DEMAND_FIELDS: Final = ("label", "src", "dest", "bw")


def read_repetita(source: Source, options: Options) -> Reading:
    """Read one file: a graph or a list of demands.

    Raises
    ------
    BadInputError
        If the graph is broken. A broken list of demands is no error here: it is `Reading.fault`.
    """
    lines = [line.strip() for line in source.text.split("\n")]
    if not source.text.lstrip().startswith("DEMANDS"):
        notes: list[str] = []
        return Reading(source.name, _graph(source, lines, options, notes), notes=tuple(notes))
    try:
        return Reading(source.name, snapshot=_demands(lines))
    except BadInputError as error:
        return Reading(source.name, fault=error)


def _section(lines: list[str], start: int, title: str, fields: tuple[str, ...]) -> tuple[list[list[str]], int]:
    """Return the rows of a section that begins on line `start`, and the line after it; line numbers count from 1."""
    while start < len(lines) and not lines[start]:
        start += 1
    place = f"line {start + 1}"
    head = lines[start].split() if start < len(lines) else []
    if len(head) != 2 or head[0] != title:
        raise BadInputError(place, f"must be {title} and their number", " ".join(head) or "the end of the file")
    count = whole(head[1], place, 0, COUNT_MAX)
    if start + 1 >= len(lines) or lines[start + 1].split() != list(fields):
        found = lines[start + 1] if start + 1 < len(lines) else "the end of the file"
        raise BadInputError(f"line {start + 2}", f"must name the fields {' '.join(fields)}", found)
    rows: list[list[str]] = []
    position = start + 2
    while position < len(lines) and lines[position]:
        row = lines[position].split()
        if len(row) != len(fields):
            raise BadInputError(
                f"line {position + 1}", f"must have the {len(fields)} fields {' '.join(fields)}", lines[position]
            )
        rows.append(row)
        position += 1
    if len(rows) != count:
        raise BadInputError(place, f"states {count} {title.lower()}, and as many rows must follow", len(rows))
    return rows, position


def _nothing_after(lines: list[str], position: int) -> None:
    for index in range(position, len(lines)):
        if lines[index]:
            raise BadInputError(f"line {index + 1}", "nothing may follow the last section", lines[index])


def _graph(source: Source, lines: list[str], options: Options, notes: list[str]) -> ImportedTopology:
    nodes, position = _section(lines, 0, "NODES", _NODE_FIELDS)
    edges, position = _section(lines, position, "EDGES", _EDGE_FIELDS)
    _nothing_after(lines, position)
    xy = [(number(x, f"node {label}.x"), number(y, f"node {label}.y")) for label, x, y in nodes]
    ends: list[tuple[int, int]] = []
    rates: list[float] = []
    metric: list[float] = []
    for label, src, dest, weight, bw, _ in edges:
        place = f"edge {label}"
        ends.append((_node(src, len(nodes), f"{place}.src"), _node(dest, len(nodes), f"{place}.dest")))
        rates.append(amount(bw, "kbps", f"{place}.bw"))
        metric.append(number(weight, f"{place}.weight"))
    places, located = drawn(xy, len(nodes), True, notes)
    return ImportedTopology(
        name=options.name or Path(source.name).stem,
        node_names=tuple(label for label, _, _ in nodes),
        xy=places,
        lines=np.array(ends, dtype=np.int64).reshape(-1, 2),
        directed=True,
        rate_mbps=np.array(rates),
        metric=np.array(metric),
        located=located,
    )


def _demands(lines: list[str]) -> Snapshot:
    rows, position = _section(lines, 0, "DEMANDS", _DEMAND_FIELDS)
    _nothing_after(lines, position)
    entries = Entries()
    for label, src, dest, bw in rows:
        place = f"demand {label}"
        ends = [str(_node(end, COUNT_MAX, f"{place}.{name}")) for end, name in ((src, "src"), (dest, "dest"))]
        entries.add(ends[0], ends[1], amount(bw, "kbps", f"{place}.bw"))
    return entries.snapshot(None, None, "positions")


def _node(text: str, count: int, place: str) -> int:
    return whole(text, place, 0, count - 1)
