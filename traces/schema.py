"""The trace format: columns with unit and meaning, and what the file says of itself; see `docs/trace-format.md`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from router_core.calendar import LOCAL_TIME
from router_core.errors import BadInputError
from router_core.exchanges import DTYPES, FIELDS
from router_core.platform import Platform
from router_core.units import DURATION_NS_MAX
from router_core.vocabulary import PRIORITY_MAX

FORMAT_MAJOR: Final = 1
FORMAT_MINOR: Final = 0
METADATA_KEY: Final = b"exchange_trace"
YEARS: Final = (1950, 2200)


@dataclass(frozen=True)
class Column:
    """One column of a trace: name, Arrow type, unit, allowed values, meaning."""

    name: str
    unit: str
    allowed: str
    meaning: str

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type: the same width as the field of `Exchanges`."""
        return pa.from_numpy_dtype(DTYPES[self.name])


COLUMNS: Final = (
    Column(
        "submitted_ns",
        "ns",
        "0 up to the span, never decreasing",
        "When the front-end accepted the task, from the start of the trace.",
    ),
    Column("source", "node", "an endpoint of the file's table", "Node from which the resource leaves."),
    Column("target", "node", "an endpoint of the file's table, not the source", "Node that receives it."),
    Column("payload_bytes", "byte", "0..2^40", "Size of what is exchanged."),
    Column(
        "mode",
        "",
        "0..3",
        "Delivery mode: 0 system docking, 1 front-end file sharing, 2 online query, 3 batch download.",
    ),
    Column("kind", "", "0..1", "0 synchronisation task (recurring), 1 exchange task (on demand)."),
    Column("resource", "", "an index into the file's list of resources", "Resource of the catalogue."),
    Column("priority", "", f"0..{PRIORITY_MAX}", "Class of service; 0 is the most urgent."),
    Column("deadline_ns", "ns", "-1, or later than submitted_ns", "Deadline from the start of the trace; -1: none."),
    Column(
        "demand_type",
        "",
        "-1, or an index into the file's list of demand types",
        "True type of demand of a generated trace, for scoring only; -1: none.",
    ),
    Column(
        "surge",
        "",
        "-1, or an index into the file's list of surges",
        "Surge that caused this exchange, for scoring only; -1: none.",
    ),
)

SCHEMA: Final = pa.schema([pa.field(column.name, column.arrow_type, nullable=False) for column in COLUMNS])

# What the JSON document under METADATA_KEY holds: key, meaning.
METADATA: Final = (
    ("version", 'Version of the format, "major.minor"; a reader refuses another major version.'),
    ("start", "Local date and time of nanosecond 0, ISO 8601 with +08:00."),
    ("span_ns", "Length of the trace [ns]; every exchange is submitted before its end."),
    ("scenario", "Name of the scenario the trace was made for."),
    ("scenario_digest", "SHA-256 of that scenario."),
    ("endpoint_index", "Values that source and target may take: node indices of that scenario, ascending."),
    ("endpoint_name", "Name of each of these nodes; a reader finds them by name in the platform it is given."),
    ("resources", "Names of the resources, in the order of the indices in the file."),
    ("demand_types", "Names of the true demand types; empty for a trace that was not generated."),
    ("surges", "What surges there are, such as deadline@2026-03-17T17:00x5."),
    ("seed", "Seed of a generated trace, or null."),
    ("provenance", "What made the file: a JSON object. It holds no clock time, so that equal input gives equal bytes."),
)


@dataclass(frozen=True)
class TraceInfo:
    """What a trace says about itself; `METADATA` gives the meaning of each attribute.

    Attributes
    ----------
    start : datetime
        Local time of nanosecond 0, with its offset +08:00.
    span_ns : int
        Length [ns], in 1..DURATION_NS_MAX.
    scenario, scenario_digest : str
    endpoint_index : tuple of int
        Node indices that `source` and `target` take in the file, ascending.
    endpoint_name : tuple of str
        Their names.
    resources, demand_types, surges : tuple of str
    seed : int or None
    provenance : dict
        JSON values only.
    """

    start: datetime
    span_ns: int
    scenario: str
    scenario_digest: str
    endpoint_index: tuple[int, ...]
    endpoint_name: tuple[str, ...]
    resources: tuple[str, ...]
    demand_types: tuple[str, ...] = ()
    surges: tuple[str, ...] = ()
    seed: int | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def end(self) -> datetime:
        """Local time at which the trace ends, to the microsecond."""
        return self.start + timedelta(microseconds=self.span_ns // 1_000)

    def encode(self) -> bytes:
        """Return the JSON document of the file: sorted keys, no spaces, so that equal information has equal bytes."""
        document = {
            "version": f"{FORMAT_MAJOR}.{FORMAT_MINOR}",
            "start": self.start.isoformat(),
            "span_ns": self.span_ns,
            "scenario": self.scenario,
            "scenario_digest": self.scenario_digest,
            "endpoint_index": self.endpoint_index,
            "endpoint_name": self.endpoint_name,
            "resources": self.resources,
            "demand_types": self.demand_types,
            "surges": self.surges,
            "seed": self.seed,
            "provenance": self.provenance,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def trace_info(
    platform: Platform,
    *,
    start: datetime,
    span_ns: int,
    demand_types: tuple[str, ...] = (),
    surges: tuple[str, ...] = (),
    seed: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> TraceInfo:
    """Return the information of a trace made for `platform`.

    Parameters
    ----------
    platform : Platform
    start : datetime
        Local time of nanosecond 0; without an offset it is taken as local.
    span_ns : int
        Length [ns], in 1..DURATION_NS_MAX.
    demand_types, surges : tuple of str
        Names for the labels of the same names.
    seed : int, optional
    provenance : mapping, optional
        JSON values: what made the trace. Clock times and output paths do not belong here.

    Raises
    ------
    BadInputError
        If `span_ns` is out of range or `start` has another offset than +08:00.
    """
    if not 1 <= span_ns <= DURATION_NS_MAX:
        raise BadInputError("span_ns", f"must lie in 1..{DURATION_NS_MAX}", span_ns)
    network = platform.network
    endpoints = network.endpoints.tolist()
    return TraceInfo(
        start=local_time(start, "start"),
        span_ns=span_ns,
        scenario=platform.name,
        scenario_digest=platform.digest,
        endpoint_index=tuple(endpoints),
        endpoint_name=tuple(network.node_name[node] for node in endpoints),
        resources=platform.catalogue.resource_name,
        demand_types=demand_types,
        surges=surges,
        seed=seed,
        provenance=dict(provenance or {}),
    )


def local_time(when: datetime, place: str) -> datetime:
    """Return `when` with the offset +08:00; without one it is local; `BadInputError` for another offset or year."""
    if not YEARS[0] <= when.year <= YEARS[1]:
        raise BadInputError(place, f"must lie in the years {YEARS[0]}..{YEARS[1]}", when.isoformat())
    if when.tzinfo is None:
        return when.replace(tzinfo=LOCAL_TIME)
    if when.utcoffset() != LOCAL_TIME.utcoffset(None):
        raise BadInputError(place, "must be local time, +08:00", when.isoformat())
    return when.replace(tzinfo=LOCAL_TIME)


def decode_info(document: bytes | None) -> TraceInfo:
    """Read the JSON document of a file.

    Raises
    ------
    BadInputError
        If there is none, if it is of another major version, or if a key is missing or has a wrong value.
    """
    if document is None:
        raise BadInputError("metadata", f"a trace has a document under {METADATA_KEY.decode()}", None)
    try:
        content = json.loads(document)
        # Half a surrogate pair is JSON, and is a text that can neither be shown nor written again.
        json.dumps(content, ensure_ascii=False).encode()
    except ValueError as error:
        raise BadInputError(f"metadata {METADATA_KEY.decode()}", "must be a JSON document", str(error)) from None
    except RecursionError:
        rule = "must not nest so deeply"
        raise BadInputError(f"metadata {METADATA_KEY.decode()}", rule, "too many brackets") from None
    if not isinstance(content, dict):
        raise BadInputError(f"metadata {METADATA_KEY.decode()}", "must be a JSON object", type(content).__name__)
    _check_version(content.get("version"))
    for key, _ in METADATA:
        if key not in content:
            raise BadInputError(f"metadata {key}", "must be there", None)
    info = TraceInfo(
        start=_start(content["start"]),
        span_ns=_whole(content, "span_ns", 1),
        scenario=_typed(content, "scenario", str, "a text"),
        scenario_digest=_typed(content, "scenario_digest", str, "a text"),
        endpoint_index=_several(content, "endpoint_index", int, "whole numbers"),
        endpoint_name=_several(content, "endpoint_name", str, "texts"),
        resources=_several(content, "resources", str, "texts"),
        demand_types=_several(content, "demand_types", str, "texts"),
        surges=_several(content, "surges", str, "texts"),
        seed=None if content["seed"] is None else _whole(content, "seed", 0),
        provenance=_typed(content, "provenance", dict, "a JSON object"),
    )
    if info.span_ns > DURATION_NS_MAX:
        raise BadInputError("metadata span_ns", f"must lie in 1..{DURATION_NS_MAX}", info.span_ns)
    if len(info.endpoint_index) != len(info.endpoint_name):
        raise BadInputError(
            "metadata endpoint_name", f"must name all {len(info.endpoint_index)} endpoints", len(info.endpoint_name)
        )
    rising = all(a < b for a, b in zip(info.endpoint_index, info.endpoint_index[1:], strict=False))
    if info.endpoint_index and not (rising and info.endpoint_index[0] >= 0 and info.endpoint_index[-1] < 2**31):
        raise BadInputError("metadata endpoint_index", "must ascend from 0 or more", list(info.endpoint_index[:5]))
    return info


def _check_version(version: object) -> None:
    major = version.split(".")[0] if isinstance(version, str) else ""
    if major != str(FORMAT_MAJOR):
        raise BadInputError("metadata version", f"this reader understands version {FORMAT_MAJOR}.x", version)


def _start(text: object) -> datetime:
    try:
        when = datetime.fromisoformat(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise BadInputError("metadata start", "must be an ISO 8601 date and time", text) from None
    return local_time(when, "metadata start")


def _typed(content: dict[str, Any], key: str, wanted: type, words: str) -> Any:
    if not isinstance(content[key], wanted):
        raise BadInputError(f"metadata {key}", f"must be {words}", content[key])
    return content[key]


def _whole(content: dict[str, Any], key: str, low: int) -> int:
    value = content[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise BadInputError(f"metadata {key}", f"must be a whole number of at least {low}", value)
    return value


def _several(content: dict[str, Any], key: str, wanted: type, words: str) -> tuple[Any, ...]:
    values = content[key]
    if not isinstance(values, list) or not all(type(value) is wanted for value in values):
        raise BadInputError(f"metadata {key}", f"must be a list of {words}", values)
    return tuple(values)


assert tuple(column.name for column in COLUMNS) == FIELDS, "one column for each field of Exchanges"
