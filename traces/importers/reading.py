"""What the importers share: opening a file, strict numbers, units and times, and what one file yields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray

from router_core.errors import BadInputError
from traces.importers.topology import ImportedTopology
from traces.matrices import STEP_S_MAX, TIME_MAX, TIME_MIN

FileFormat = Literal["sndlib", "totem", "repetita"]
Numbering = Literal["names", "positions", "either"]
FILE_FORMATS: Final[tuple[FileFormat, ...]] = ("sndlib", "totem", "repetita")
UNITS: Final = ("bps", "kbps", "mbps", "gbps", "tbps")
# More than all the world's traffic: beyond it a number is no demand, and sums of numbers stay finite.
AMOUNT_MBPS_MAX: Final = 1e12
FILE_BYTES_MAX: Final = 2**28
_DECIMAL: Final = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NOT_A_NUMBER: Final = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Options:
    """What a user may state about files that do not say it themselves.

    Attributes
    ----------
    name : str or None
        Name of the topology; None takes the name of its file.
    directed : bool
        Whether SNDlib's links carry only from source to target. The file does not say; the published networks are
        undirected.
    unit : str or None
        One of `UNITS`: the unit of XML files that state none. A stated unit wins.
    first_node_id : int or None
        Number of the first node in TOTEM files whose ids are numbers; None finds it out if only one fits.
    start, interval_s : datetime64 or None, int or None
        Begin of the first matrix, and seconds from one to the next, for files that state no time. `interval_s` is
        also the length of each matrix's interval, whatever the files state.
    headroom : float
        How many times the lines' capacity a demand may reach before it is absurd, >= 1; see `traces.importers.screen`.
    """

    name: str | None = None
    directed: bool = False
    unit: str | None = None
    first_node_id: int | None = None
    start: np.datetime64 | None = None
    interval_s: int | None = None
    headroom: float = 10.0

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in UNITS:
            raise BadInputError("unit", f"must be one of {', '.join(UNITS)}", self.unit)
        if self.interval_s is not None and not 0 < self.interval_s <= STEP_S_MAX:
            raise BadInputError("interval_s", f"must lie in 1..{STEP_S_MAX}", self.interval_s)
        if not 1 <= self.headroom < np.inf:
            raise BadInputError("headroom", "must be finite and at least 1", self.headroom)


@dataclass(frozen=True)
class Source:
    """One opened file: its name as the user gave it, and its content, or why it has none.

    Attributes
    ----------
    name : str
    path : Path
    file_format : one of `FILE_FORMATS`, "npz", or None where the content is none of these
    root : Element or None
        Of XML files.
    text : str
        Of REPETITA files.
    fault : BadInputError or None
        Why the content is none of the known formats.
    """

    name: str
    path: Path
    file_format: FileFormat | Literal["npz"] | None
    root: Element | None = None
    text: str = ""
    fault: BadInputError | None = None


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One matrix as its file has it: E entries by the file's own node ids.

    Attributes
    ----------
    t_utc : datetime64[s] or None
        Begin of its interval, None where the file does not say.
    span_s : int or None
        Length of its interval [s], None where the file does not say.
    ids : tuple of str
        The ids that occur, each once.
    source, target : int32 (E,)
        Indices into `ids`.
    mbps : float64 (E,)
        Demand [Mbit/s], 0..`AMOUNT_MBPS_MAX`; entries of one pair add up.
    numbering : "names", "positions" or "either"
        Whether an id is a node's name, or its position in the topology from 0 on, or a name or a number.
    """

    t_utc: np.datetime64 | None
    span_s: int | None
    ids: tuple[str, ...]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    mbps: NDArray[np.float64]
    numbering: Numbering

    def matrix(self, node_of_id: dict[str, int], count: int) -> NDArray[np.float64]:
        """Return the demand (n, n) [Mbit/s]; raises `BadInputError` for an id that is no node."""
        nodes = np.empty(len(self.ids), dtype=np.int64)
        for position, label in enumerate(self.ids):
            if label not in node_of_id:
                raise BadInputError("demand", "every id must be a node of the topology", label)
            nodes[position] = node_of_id[label]
        result = np.zeros((count, count))
        np.add.at(result, (nodes[self.source], nodes[self.target]), self.mbps)
        return result


@dataclass(frozen=True, eq=False)
class Reading:
    """What one file yields.

    Attributes
    ----------
    name : str
    topology : ImportedTopology or None
    snapshot : Snapshot or None
    fault : BadInputError or None
        Why there is no snapshot, where the file should have held one.
    planned : bool
        The snapshot is a design target that stands beside the topology, not a measurement.
    open_ended : bool
        The lines may be given more capacity than the topology says, so it does not bound the planned demand.
    notes : tuple of str
        What was assumed while reading.
    """

    name: str
    topology: ImportedTopology | None = None
    snapshot: Snapshot | None = None
    fault: BadInputError | None = None
    planned: bool = False
    open_ended: bool = False
    notes: tuple[str, ...] = ()


class Entries:
    """Collects the entries of one snapshot."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self._source: list[int] = []
        self._target: list[int] = []
        self._mbps: list[float] = []

    def add(self, source: str, target: str, mbps: float) -> None:
        """Add one entry."""
        self._source.append(self._index.setdefault(source, len(self._index)))
        self._target.append(self._index.setdefault(target, len(self._index)))
        self._mbps.append(mbps)

    def snapshot(self, t_utc: np.datetime64 | None, span_s: int | None, numbering: Numbering) -> Snapshot:
        """Return what was collected."""
        return Snapshot(
            t_utc=t_utc,
            span_s=span_s,
            ids=tuple(self._index),
            source=np.array(self._source, dtype=np.int32),
            target=np.array(self._target, dtype=np.int32),
            mbps=np.array(self._mbps, dtype=np.float64),
            numbering=numbering,
        )


def open_source(path: Path) -> Source:
    """Open a file and tell its format by its content.

    Raises
    ------
    BadInputError
        If there is no such file or it cannot be read. A content that is no known format is no error here: it is
        `Source.fault`.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise BadInputError("file", "must be a file that can be read", text, name) from None
    try:
        return _recognised(name, path, data)
    except BadInputError as error:
        return Source(name, path, None, fault=error)


def _recognised(name: str, path: Path, data: bytes) -> Source:
    if not data:
        raise BadInputError("file", "must not be empty", "0 bytes")
    if len(data) > FILE_BYTES_MAX:
        raise BadInputError("file", f"must be at most {FILE_BYTES_MAX} bytes", "more")
    if data.startswith(b"PK\x03\x04"):
        return Source(name, path, "npz")
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        root = parse_xml(data)
        tag = local_name(root)
        formats: dict[str, FileFormat] = {"network": "sndlib", "trafficmatrixfile": "totem", "domain": "totem"}
        if tag.lower() not in formats:
            rule = "the root element must be network (SNDlib), TrafficMatrixFile or domain (TOTEM)"
            raise BadInputError("root element", rule, tag)
        return Source(name, path, formats[tag.lower()], root=root)
    if start.split(None, 1)[:1] in ([b"NODES"], [b"DEMANDS"]):
        try:
            return Source(name, path, "repetita", text=data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise BadInputError(f"byte {error.start}", "must be UTF-8 text", data[error.start]) from None
    rule = "must be XML, a REPETITA file that begins with NODES or DEMANDS, or an .npz file"
    raise BadInputError("file", rule, data[:20])


def parse_xml(data: bytes) -> Element:
    """Parse XML without entities, external or not; raises `BadInputError` if it is malformed or declares some."""
    try:
        root: Element = fromstring(data)
    except DefusedXmlException as error:
        raise BadInputError("XML", "must declare no entities", type(error).__name__) from None
    except (ParseError, ValueError, LookupError) as error:
        raise BadInputError("XML", "must be well-formed", str(error)) from None
    return root


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rsplit("}", 1)[-1]


def children(element: Element | None, name: str) -> list[Element]:
    """Return the children of that name, in any namespace and any case; none if there is no element."""
    if element is None:
        return []
    return [child for child in element if local_name(child).lower() == name.lower()]


def child(element: Element | None, name: str) -> Element | None:
    """Return the one child of that name, None if there is none; raises `BadInputError` if there are several."""
    found = children(element, name)
    if len(found) > 1:
        raise BadInputError(f"<{name}>", "must occur once", f"{len(found)} times")
    return found[0] if found else None


def text_of(element: Element | None, name: str, place: str) -> str:
    """Return the text of the one child of that name; raises `BadInputError` if there is none."""
    found = child(element, name)
    text = (found.text or "").strip() if found is not None else ""
    if not text:
        raise BadInputError(place, f"must have a <{name}>", "nothing")
    return text


def attribute(element: Element, name: str, place: str) -> str:
    """Return an attribute's text; raises `BadInputError` if it is missing or empty."""
    text = (element.get(name) or "").strip()
    if not text:
        raise BadInputError(place, f"must have an attribute {name}", "nothing")
    return text


def number(text: str, place: str) -> float:
    """Return a finite decimal number, or raise `BadInputError`; Python's extras such as ``1_0`` are no numbers."""
    text = text.strip()
    if _NOT_A_NUMBER.fullmatch(text):
        raise BadInputError(place, "must be finite", text)
    if not _DECIMAL.fullmatch(text):
        raise BadInputError(place, "must be a decimal number", text)
    value = float(text)
    if not np.isfinite(value):
        raise BadInputError(place, "must be finite", text)
    return value


def whole(text: str, place: str, low: int, high: int) -> int:
    """Return a whole number in low..high, or raise `BadInputError`."""
    # Nine digits: Python's int() takes quadratic time on a long row of them.
    if not re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        raise BadInputError(place, f"must be a whole number in {low}..{high}", text)
    return int(text)


def amount(text: str, unit: str, place: str) -> float:
    """Return a rate in Mbit/s from a text in `unit`; raises `BadInputError` unless it is finite and not negative."""
    value = number(text, place)
    if value < 0:
        raise BadInputError(place, "must not be negative", text.strip())
    # Divided, not multiplied by 0.001: 1 kbit/s is then the float nearest to 0.001 Mbit/s.
    mbps = value / {"bps": 1e6, "kbps": 1e3}[unit] if unit in ("bps", "kbps") else value * _LARGE[unit]
    if mbps > AMOUNT_MBPS_MAX:
        raise BadInputError(place, f"must be at most {AMOUNT_MBPS_MAX:g} Mbit/s", text.strip())
    return mbps + 0.0  # no negative zero


_LARGE: Final = {"mbps": 1.0, "gbps": 1e3, "tbps": 1e6}


def time_of(text: str, place: str) -> np.datetime64:
    """Return an ISO date and time, taken as UTC where it names no zone, or raise `BadInputError`."""
    rule = "must be a date and time such as 2020-01-31T12:00:00"
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise BadInputError(place, rule, text.strip()) from None
    if moment.microsecond:
        raise BadInputError(place, "must be a whole second", text.strip())
    result = np.datetime64(moment, "s")
    if not TIME_MIN <= result < TIME_MAX:
        raise BadInputError(place, f"must lie in {TIME_MIN}..{TIME_MAX}", text.strip())
    return result
