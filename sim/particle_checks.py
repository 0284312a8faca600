"""What every data plane refuses of test particles before it sends any: a route that is none, a size, a class."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import PAYLOAD_BYTES_MAX
from router_core.vocabulary import PRIORITY_MAX, StationRole
from strategies.brain import SendParticles

PARTICLES_MAX: Final = 2**31 - 1
# An endpoint, a line, a centre's processing, a line, an endpoint.
ROUTE_STATIONS_MIN: Final = 5
ROUTE_STATIONS_MAX: Final = 60_000

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class ParticleCheck:
    """Knows what joins what in a network, and holds rounds of particles against it.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._stations = network.station_count
        self._nodes = network.node_count
        owner, role = network.station_owner, network.station_role
        self._is_line: Mask = role == StationRole.LINE
        self._is_process: Mask = role == StationRole.PROCESS
        # The node where one is before a station serves, and where after it: the same but for a line.
        self._before = owner.astype(np.int32)
        self._after = owner.astype(np.int32)
        self._before[self._is_line] = network.line_source[owner[self._is_line]]
        self._after[self._is_line] = network.line_target[owner[self._is_line]]
        self._is_end: Mask = ~self._is_line & network.is_endpoint[self._after]

    def check(self, particles: SendParticles, first: int) -> None:
        """Refuse a round whose first particle would get the number `first`, if a particle breaks a rule.

        Raises
        ------
        BadInputError
            Naming the first particle of the round that breaks a rule, rules in the order of the code.
        """
        count = len(particles.payload_bytes)
        for name, kind, shape in (
            ("route_start", "i8", (count + 1,)),
            ("route_station", "i4", (len(particles.route_station),)),
            ("payload_bytes", "i8", (count,)),
            ("priority", "i1", (count,)),
        ):
            column = getattr(particles, name)
            if column.dtype != np.dtype(kind) or column.shape != shape:
                rule = f"must be {np.dtype(kind).name} of shape {shape}"
                raise BadInputError(f"particles.{name}", rule, f"{column.dtype} {column.shape}")
        if first + count > PARTICLES_MAX:
            raise BadInputError("particles", f"a run has at most {PARTICLES_MAX}", first + count)
        for name, high in (("payload_bytes", PAYLOAD_BYTES_MAX), ("priority", PRIORITY_MAX)):
            values = getattr(particles, name)
            wrong = (values < 0) | (values > high)
            if wrong.any():
                row = int(wrong.argmax())
                raise BadInputError(f"particle {row}.{name}", f"must lie in 0..{high}", int(values[row]))
        start, station = particles.route_start, particles.route_station
        self._check_starts(start, len(station))
        self._check_routes(start, station)

    def _check_starts(self, start: Ints, stations: int) -> None:
        if start[0] != 0 or start[-1] != stations:
            rule = f"must begin at 0 and end at {stations}, that is with the stations"
            raise BadInputError("particles.route_start", rule, f"{start[0]}..{start[-1]}")
        wrong = (start < 0) | (start > stations)
        wrong[1:] |= start[1:] < start[:-1]
        if wrong.any():
            place = int(wrong.argmax())
            raise BadInputError(f"particles.route_start[{place}]", "must not fall, nor lie outside", int(start[place]))
        length = np.diff(start)
        wrong = (length < ROUTE_STATIONS_MIN) | (length > ROUTE_STATIONS_MAX)
        if wrong.any():
            row = int(wrong.argmax())
            rule = f"must have {ROUTE_STATIONS_MIN}..{ROUTE_STATIONS_MAX} stations"
            raise BadInputError(f"particle {row}.route", rule, int(length[row]))

    def _check_routes(self, start: Ints, station: NDArray[np.int32]) -> None:
        def refuse(wrong: Mask, rule: str) -> None:
            """Name the first place of a route where something is wrong."""
            if wrong.any():
                place = int(wrong.argmax())
                row = int(start.searchsorted(place, side="right")) - 1
                raise BadInputError(f"particle {row}.route[{place - int(start[row])}]", rule, int(station[place]))

        refuse((station < 0) | (station >= self._stations), f"must be a station, 0..{self._stations - 1}")
        if len(station) == 0:
            return
        first, last = start[:-1], start[1:] - 1
        is_end = self._is_end.take(station)
        outer = np.zeros(len(station), dtype=np.bool_)
        outer[first] = outer[last] = True
        refuse(is_end != outer, "must begin and end at endpoints' own stations, and pass no other endpoint")
        again = station[first] == station[last]
        if again.any():
            row = int(again.argmax())
            raise BadInputError(f"particle {row}.route", "must end at another endpoint", int(station[first[row]]))
        is_line, before, after = self._is_line.take(station), self._before.take(station), self._after.take(station)
        # A station, and the one after it: only where a route ends they need not be joined.
        parted = is_line[1:] == is_line[:-1]
        parted |= before[1:] != after[:-1]
        parted[last[:-1]] = False
        refuse(np.concatenate([[False], parted]), "must be joined to the station before it, nodes and lines in turn")
        self._check_processing(start, station, is_line, after)

    def _check_processing(
        self, start: Ints, station: NDArray[np.int32], is_line: Mask, node: NDArray[np.int32]
    ) -> None:
        """Refuse what is not processed once, or passes a node twice before its processing or from there on."""
        is_process = self._is_process.take(station)
        processed = np.add.reduceat(is_process.view(np.int8), start[:-1], dtype=np.int64)
        if (processed != 1).any():
            row = int((processed != 1).argmax())
            raise BadInputError(
                f"particle {row}.route", "must pass exactly one processing station", int(processed[row])
            )
        place, length = is_process.nonzero()[0], np.diff(start)
        # Half 2 i of particle i up to its processing, half 2 i + 1 behind it; where it is processed belongs to both.
        halves = 2 * len(length)
        lengths = np.stack([place + 1 - start[:-1], start[1:] - place - 1], axis=1).ravel()
        visits = (np.arange(halves).repeat(lengths) * self._nodes + node).compress(~is_line)
        behind = np.arange(1, halves, 2) * self._nodes + node.take(place)
        kind = np.dtype(np.int32 if halves * self._nodes < 2**31 else np.int64)  # sorted in half the time
        ordered = np.sort(np.concatenate([visits, behind]).astype(kind))
        again = ordered[1:] == ordered[:-1]
        if again.any():
            half, passed = divmod(int(ordered[1:][again][0]), self._nodes)
            rule = "must pass no node twice before its processing, nor from there on"
            raise BadInputError(f"particle {half // 2}.route", rule, f"node {passed}")
