"""Small generated twins of the published formats, written independently of the code that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SNDLIB_SPACE = "http://sndlib.zib.de/network"


@dataclass
class Twin:
    """A network of four nodes in a square with a doubled side, rates in Mbit/s, and demands well below them."""

    names: list[str] = field(default_factory=lambda: ["North", "East", "South", "West"])
    xy: list[tuple[float, float]] = field(
        default_factory=lambda: [(10.0, 51.5), (11.25, 50.0), (10.0, 48.5), (8.75, 50.0)]
    )
    lines: list[tuple[int, int]] = field(default_factory=lambda: [(0, 1), (1, 2), (2, 3), (3, 0), (1, 0)])
    rates: list[float] = field(default_factory=lambda: [1000.0, 2500.0, 1000.0, 155.5, 622.0])

    def demand(self, seed: int = 1) -> np.ndarray:
        """A matrix in thousandths of a Mbit/s, so that every format can say it exactly."""
        matrix = np.random.default_rng(seed).integers(1, 90_000, (4, 4)) / 1000.0
        np.fill_diagonal(matrix, 0.0)
        return matrix


def sndlib(
    twin: Twin,
    matrix: np.ndarray | None,
    *,
    links: bool = False,
    time: str | None = "20240301-0600",
    unit: str | None = "MBITPERSEC",
    granularity: str = "5min",
    modules: Sequence[float] = (),
    installed: bool = True,
    coordinates: str = "geographical",
    head: str = '<?xml version="1.0"?>',
    routing_unit: str | None = None,
) -> str:
    meta = f"<granularity>{granularity}</granularity>"
    meta += f"<time>{time}</time>" if time is not None else ""
    meta += f"<unit>{unit}</unit>" if unit is not None else ""
    out = [head, f'<network xmlns="{SNDLIB_SPACE}" version="1.0"><meta>{meta}</meta><networkStructure>']
    out.append(f'<nodes coordinatesType="{coordinates}">')
    for name, (x, y) in zip(twin.names, twin.xy, strict=True):
        out.append(f'<node id="{name}"><coordinates><x>{x}</x><y> {y} </y></coordinates></node>')
    out.append("</nodes><links>")
    for number, ((a, b), rate) in enumerate(zip(twin.lines, twin.rates, strict=True)):
        if not links:
            break
        out.append(f'<link id="L{number}"><source>{twin.names[a]}</source><target>{twin.names[b]}</target>')
        if installed:
            out.append(f"<preInstalledModule><capacity>{rate}</capacity><cost>0.0</cost></preInstalledModule>")
        if modules:
            out.append("<additionalModules>")
            out += [f"<addModule><capacity>{size}</capacity><cost>7.0</cost></addModule>" for size in modules]
            out.append("</additionalModules>")
        out.append("</link>")
    out.append("</links></networkStructure><demands>")
    if matrix is not None:
        for a, b in np.argwhere(matrix != 0):
            out.append(f'<demand id="D{a}_{b}"><source>{twin.names[a]}</source><target>{twin.names[b]}</target>')
            out.append(f"<routingUnit>{routing_unit}</routingUnit>" if routing_unit else "")
            out.append(
                f"<demandValue> {matrix[a, b]!r} </demandValue></demand>".replace("np.float64(", "").replace(")", "")
            )
    out.append("</demands></network>")
    return "\n".join(out)


def totem(
    matrix: np.ndarray,
    *,
    date: str | None = "2024-03-01T06:00:00",
    unit: str | None = "kbps",
    duration: str | None = "900",
    first: int = 1,
    ids: Sequence[str] | None = None,
    body: str = "",
) -> str:
    ids = [str(first + index) for index in range(len(matrix))] if ids is None else ids
    out = ['<?xml version="1.0" encoding="UTF-8"?><TrafficMatrixFile><info><title>twin</title>']
    out.append(f"<date>{date}</date>" if date is not None else "")
    out.append(f"<duration>{duration}</duration>" if duration is not None else "")
    out.append(f'<units><unit type="bandwidth" value="{unit}"/></units>' if unit is not None else "")
    out.append('</info><IntraTM ASID="65000">')
    for source, row in zip(ids, matrix, strict=True):
        cells = "".join(
            f'<dst id="{target}">{value * 1000:.4f}</dst>' for target, value in zip(ids, row, strict=True) if value
        )
        out.append(f'<src id="{source}">{cells}</src>')
    out.append(f"{body}</IntraTM></TrafficMatrixFile>")
    return "\n".join(out)


def totem_domain(twin: Twin, *, located: bool = True, unit: str = "mbps", extra: str = "") -> str:
    """The lines in both directions."""
    out = [
        '<domain ASID="65000"><info><units><unit type="delay" value="ms"/>',
        f'<unit type="bandwidth" value="{unit}"/></units>',
    ]
    out.append("</info><topology><nodes>")
    for name, (x, y) in zip(twin.names, twin.xy, strict=True):
        place = f'<location longitude="{x}" latitude="{y}"/>' if located else ""
        out.append(f'<node id="{name}"><status>UP</status>{place}</node>')
    out.append("</nodes><links>")
    for number, ((a, b), rate) in enumerate(zip(twin.lines, twin.rates, strict=True)):
        for way, (source, target) in (("f", (a, b)), ("b", (b, a))):
            ends = f'<from node="{twin.names[source]}" if="0"/><to node="{twin.names[target]}" if="1"/>'
            out.append(f'<link id="{way}{number}">{ends}<bw>{rate}</bw></link>')
    out.append(f"{extra}</links></topology></domain>")
    return "\n".join(out)


def repetita_graph(twin: Twin, *, nodes: int | None = None, edges: int | None = None) -> str:
    """The lines in both directions, rates in kbit/s."""
    out = [f"NODES {len(twin.names) if nodes is None else nodes}", "label x y"]
    out += [f"{name} {x} {y}" for name, (x, y) in zip(twin.names, twin.xy, strict=True)]
    out += ["", f"EDGES {2 * len(twin.lines) if edges is None else edges}", "label src dest weight bw delay"]
    for number, ((a, b), rate) in enumerate(zip(twin.lines, twin.rates, strict=True)):
        out.append(f"edge_{2 * number} {a} {b} {number + 3} {round(rate * 1000)} 137")
        out.append(f"edge_{2 * number + 1} {b} {a} {number + 3} {round(rate * 1000)} 137")
    return "\n".join(out) + "\n"


def repetita_demands(matrix: np.ndarray, *, count: int | None = None) -> str:
    pairs = np.argwhere(matrix != 0)
    out = [f"DEMANDS {len(pairs) if count is None else count}", "label src dest bw"]
    out += [f"demand_{number} {a} {b} {round(matrix[a, b] * 1000)}" for number, (a, b) in enumerate(pairs)]
    return "\n".join(out) + "\n"


class Folder:
    """Writes texts or bytes under names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, content: str | bytes) -> Path:
        target = self.path / name
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target
