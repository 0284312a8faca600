"""Fault files: what is to fail in a replay and when. `docs/fault-format.md` describes them."""

from __future__ import annotations

import re
from datetime import time
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from router_core.errors import BadInputError
from router_core.network import NO_STATION, Network
from router_core.network_builder import SERVERS_MAX
from router_core.units import DURATION_NS_MAX, HOUR_NS, MINUTE_NS, SECOND_NS
from scenarios.model import Model, Name
from scenarios.reading import FILE_BYTES_MAX, parsed, validated
from sim.faults import NEVER_NS, Fault, FaultKind

PROCESS: Final = "/process"
FAULTS_MAX: Final = 10_000
_CLOCK: Final = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)")


def _moment_ns(value: object) -> int:
    """Convert seconds, ``"HH:MM:SS"`` or TOML's own local time to nanoseconds from the start of the trace."""
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    moment = Fraction(-1)
    if found:
        moment = int(found[1]) * HOUR_NS + int(found[2]) * MINUTE_NS + Fraction(found[3]) * SECOND_NS
    elif isinstance(value, time):
        moment = Fraction(value.hour * HOUR_NS + value.minute * MINUTE_NS + value.second * SECOND_NS)
        moment += value.microsecond * 1_000
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= DURATION_NS_MAX / SECOND_NS:
        moment = Fraction(value) * SECOND_NS
    if not 0 <= moment <= DURATION_NS_MAX:
        raise PydanticCustomError("moment", 'must be seconds from the start of the trace, or "HH:MM:SS" of them')
    return round(moment)


Moment = Annotated[int, BeforeValidator(_moment_ns)]


class FaultModel(Model):
    """One `[[faults]]`."""

    kind: Literal["stop", "slow", "servers", "pool"]
    node: Name | None = None
    line: Annotated[list[Name], Field(min_length=2, max_length=2)] | None = None
    carrier: Name | None = None
    cable: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    pool: Name | None = None
    from_: Annotated[Moment, Field(alias="from")]
    until: Moment | None = None
    factor: Annotated[float, Field(ge=1.0, le=1e6)] | None = None
    servers: Annotated[int, Field(ge=1, le=SERVERS_MAX)] | None = None


class FaultFile(Model):
    """A whole fault file."""

    schema_: Annotated[int, Field(ge=1, le=1, alias="schema")]
    faults: Annotated[list[FaultModel], Field(max_length=FAULTS_MAX)] = Field(default_factory=list)


def read_faults(path: Path, network: Network, span_ns: int) -> tuple[Fault, ...]:
    """Read a fault file.

    Parameters
    ----------
    path : Path
    network : Network
        Whose nodes and lines it names.
    span_ns : int
        Length of the trace [ns]: a fault that begins later would never be seen.

    Raises
    ------
    BadInputError
        For the first thing that is wrong, naming file, key path, rule and value.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise BadInputError("file", f"a fault file has at most {FILE_BYTES_MAX} bytes", path.name, str(path))
        content = path.read_bytes()
    except OSError as error:
        raise BadInputError("file", "must be a TOML file that can be read", error.strerror, str(path)) from None
    try:
        file = validated(FaultFile, parsed(str(path), content))
        return tuple(_fault(f"faults[{row}]", item, network, span_ns) for row, item in enumerate(file.faults))
    except BadInputError as error:
        raise error.within(str(path)) from None


def _fault(place: str, says: FaultModel, network: Network, span_ns: int) -> Fault:
    until_ns = NEVER_NS if says.until is None else says.until
    if says.from_ >= span_ns:
        rule = f"must begin before the end of the trace, {span_ns / SECOND_NS:g} s"
        raise BadInputError(f"{place}.from", rule, says.from_ / SECOND_NS)
    if until_ns <= says.from_:
        raise BadInputError(f"{place}.until", "must be later than from", until_ns / SECOND_NS)
    for key, value, kind in (
        ("factor", says.factor, "slow"),
        ("servers", says.servers, "servers"),
        ("pool", says.pool, "pool"),
    ):
        if (value is not None) != (says.kind == kind):
            rule = f"belongs to kind {kind!r}, and to nothing else"
            raise BadInputError(f"{place}.{key}", rule, "nothing" if value is None else value)
    if says.pool is not None:
        return Fault(FaultKind.POOL, (), says.from_, until_ns, pool=_pool(place, says, network))
    stations = _stations(place, says, network)
    if says.servers is not None and all(says.servers >= network.station_servers[station] for station in stations):
        most = max(int(network.station_servers[station]) for station in stations)
        raise BadInputError(f"{place}.servers", f"must be fewer than there are, {most}", says.servers)
    return Fault(FaultKind[says.kind.upper()], stations, says.from_, until_ns, says.factor or 1.0, says.servers or 1)


def _pool(place: str, says: FaultModel, network: Network) -> int:
    for key, value in (("node", says.node), ("line", says.line), ("carrier", says.carrier), ("cable", says.cable)):
        if value is not None:
            raise BadInputError(f"{place}.{key}", "belongs to a node or a line, not to a pool", value)
    names = [pool.name for pool in network.pools]
    if says.pool not in names:
        raise BadInputError(
            f"{place}.pool", f"must be one of {', '.join(names) or 'none: there is no pool'}", says.pool
        )
    return names.index(says.pool)


def _stations(place: str, says: FaultModel, network: Network) -> tuple[int, ...]:
    if (says.node is None) == (says.line is None):
        given: Any = "nothing" if says.node is None else says.line
        raise BadInputError(f"{place}.line", "a fault strikes a node or a line, one of the two", given)
    if says.line is not None:
        return _line_stations(place, says, says.line, network)
    for key, value in (("carrier", says.carrier), ("cable", says.cable)):
        if value is not None:
            raise BadInputError(f"{place}.{key}", "belongs to a line", value)
    assert says.node is not None
    node = network.node_index.get(says.node)
    if node is not None:
        both = (int(network.node_station[node]), int(network.node_process_station[node]))
        return tuple(station for station in both if station != NO_STATION)
    node = network.node_index.get(says.node.removesuffix(PROCESS))
    if node is None or network.node_process_station[node] == NO_STATION:
        rule = f"must name a node of the scenario, or a centre followed by {PROCESS}"
        raise BadInputError(f"{place}.node", rule, says.node)
    return (int(network.node_process_station[node]),)


def _line_stations(place: str, says: FaultModel, names: list[str], network: Network) -> tuple[int, ...]:
    """Both directions of the one line that is meant."""
    for position, name in enumerate(names):
        if name not in network.node_index:
            raise BadInputError(f"{place}.line[{position}]", "must name a node of the scenario", name)
    a, b = (network.node_index[name] for name in names)
    chosen = np.flatnonzero((network.line_source == a) & (network.line_target == b))
    if not len(chosen):
        raise BadInputError(f"{place}.line", "must name two nodes that a line joins", names)
    if says.carrier is not None:
        if says.carrier not in network.carriers:
            raise BadInputError(f"{place}.carrier", f"must be one of {', '.join(network.carriers)}", says.carrier)
        chosen = chosen[network.line_carrier[chosen] == network.carriers.index(says.carrier)]
        if not len(chosen):
            raise BadInputError(f"{place}.carrier", "must be the carrier of a line between the two", says.carrier)
    cables = network.line_cable[chosen].tolist()
    if says.cable is not None:
        if says.cable not in cables:
            raise BadInputError(f"{place}.cable", f"must be one of {', '.join(map(str, cables))}", says.cable)
        cables = [says.cable]
    if len(cables) > 1:
        shown = ", ".join(map(str, cables))
        raise BadInputError(f"{place}.cable", f"several lines join the two: say which cable, {shown}", "nothing")
    return tuple(network.line_station[network.line_cable == cables[0]].tolist())
