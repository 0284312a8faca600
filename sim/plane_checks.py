"""What every data plane refuses before it touches anything: batches and commands that break a rule, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.exchanges import DTYPES, Exchanges
from router_core.network import Network
from router_core.network_builder import SERVERS_MAX
from router_core.units import DURATION_NS_MAX, PAYLOAD_BYTES_MAX, PS_PER_BYTE_MAX
from router_core.vocabulary import PRIORITY_MAX
from sim.data_plane import PlaneCommand, SetStationServers, SetStationService, SetStationUp

EXCHANGES_MAX: Final = 2**31 - 2
ROWS_A_BLOCK: Final = 32_768
_USED: Final = ("submitted_ns", "source", "target", "payload_bytes", "priority")


def check_batch(network: Network, batch: Exchanges, first_id: int, earliest_ns: int) -> None:
    """Refuse a batch whose first row would get the id `first_id`, if a row breaks a rule; traces have stricter ones.

    Raises
    ------
    BadInputError
        Naming the first exchange and column that break a rule, columns in the order of the table.
    """
    for name in _USED:
        column = getattr(batch, name)
        if column.dtype != DTYPES[name] or column.shape != (len(batch),):
            rule = f"must be {np.dtype(DTYPES[name]).name} with one row an exchange"
            raise BadInputError(f"batch.{name}", rule, f"{column.dtype} {column.shape}")
    if first_id + len(batch) > EXCHANGES_MAX:
        raise BadInputError("batch", f"a run has at most {EXCHANGES_MAX} exchanges", first_id + len(batch))
    if len(batch) == 0:
        return
    submitted_ns = batch.submitted_ns

    def refuse(bad: NDArray[np.bool_], name: str, rule: str) -> None:
        row = int(bad.argmax())
        raise BadInputError(f"exchange {first_id + row}.{name}", rule, int(getattr(batch, name)[row]))

    # Good batches are the rule: each column is read once, and rows are looked for only where something is wrong.
    if submitted_ns[0] < earliest_ns:
        refuse(submitted_ns < earliest_ns, "submitted_ns", f"must not be before {earliest_ns}")
    if not _everywhere(np.less_equal, submitted_ns[:-1], submitted_ns[1:]):
        backwards = np.concatenate([[False], submitted_ns[1:] < submitted_ns[:-1]])
        refuse(backwards, "submitted_ns", "must not be before its predecessor")
    if submitted_ns[-1] > DURATION_NS_MAX:
        refuse(submitted_ns > DURATION_NS_MAX, "submitted_ns", f"must not be after {DURATION_NS_MAX}")
    for name, ends in (("source", batch.source), ("target", batch.target)):
        if not _all_endpoints(network, ends):
            good = (ends >= 0) & (ends < network.node_count)
            good &= network.is_endpoint[np.where(good, ends, 0)]
            refuse(~good, name, "must be an endpoint")
    if not _everywhere(np.not_equal, batch.source, batch.target):
        refuse(batch.source == batch.target, "target", "must differ from the source")
    for name, high in (("payload_bytes", PAYLOAD_BYTES_MAX), ("priority", PRIORITY_MAX)):
        values = getattr(batch, name)
        if values.min() < 0 or values.max() > high:
            refuse((values < 0) | (values > high), name, f"must lie in 0..{high}")


def _all_endpoints(network: Network, nodes: NDArray[np.int32]) -> bool:
    """Whether all are endpoints. Mostly nothing else lies between two of them, and none needs to be looked up."""
    first, last = int(nodes.min()), int(nodes.max())
    if first < 0 or last >= network.node_count:
        return False
    return bool(network.is_endpoint[first : last + 1].all()) or _everywhere(network.is_endpoint.take, nodes)


def _everywhere(holds: Callable[..., NDArray[np.bool_]], *columns: NDArray[np.integer]) -> bool:
    """Whether something holds in all rows of columns; in blocks, so that what is made on the way stays in the cache."""
    return all(
        holds(*(column[begin : begin + ROWS_A_BLOCK] for column in columns)).all()
        for begin in range(0, len(columns[0]), ROWS_A_BLOCK)
    )


def check_command(network: Network, command: PlaneCommand) -> None:
    """Refuse a command that names what does not exist, or a value out of range; plans are checked way by way.

    Raises
    ------
    BadInputError
        Naming the command's array, the row, and the rule.
    """
    columns: tuple[tuple[str, NDArray[Any], str, int, int], ...]
    match command:
        case SetStationService(station, fixed_ns, ps_per_byte):
            place = "service"
            columns = (
                ("fixed_ns", fixed_ns, "i8", 1, DURATION_NS_MAX),
                ("ps_per_byte", ps_per_byte, "i8", 0, PS_PER_BYTE_MAX),
            )
        case SetStationServers(station, servers):
            place, columns = "servers", (("servers", servers, "i4", 1, SERVERS_MAX),)
        case SetStationUp(station, up):
            place, columns = "up", (("up", up, "?", 0, 1),)
        case _:
            return
    for name, values, kind, low, high in (("station", station, "i4", 0, network.station_count - 1), *columns):
        if values.dtype != np.dtype(kind) or values.shape != (len(station),):
            rule = f"must be {np.dtype(kind).name} with one row a station"
            raise BadInputError(f"{place}.{name}", rule, f"{values.dtype} {values.shape}")
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            raise BadInputError(f"{place}.{name}[{wrong[0]}]", f"must lie in {low}..{high}", int(values[wrong[0]]))
    if len(np.unique(station)) < len(station):
        twice = int(np.flatnonzero(np.bincount(station) > 1)[0])
        raise BadInputError(f"{place}.station", "must name no station twice", twice)
