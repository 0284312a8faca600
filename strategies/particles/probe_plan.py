"""Which test particles to send: rounds by the clock that see everything, and rounds on demand around some stations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.units import SECOND_NS
from strategies.brain import SendParticles
from strategies.particles.probe_routes import probe_routes
from strategies.particles.probe_setting import ProbeSetting
from strategies.particles.tours import make_tours

# Which particles are large moves on by this at each round (the golden ratio): every route gets both sizes in time.
TURN: Final = 0.6180339887498949
# A wanted station's paths looked at for one particle, at most.
LOOKED_AT: Final = 16


class ProbePlanner:
    """Makes rounds of test particles over all routes of a path set, within a budget.

    What is chosen is made beforehand (`tours`): a round costs a fraction of a millisecond. Rounds by the clock see
    every station that any route passes, access lines and endpoints of all groups included, at least once in any
    ``setting.rounds`` rounds in a row, and in time use every route. Bytes sent in any span of time t are at most
    ``bytes_per_s * (t + burst_s + period)``.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``.
    setting : ProbeSetting, optional
    seed : int
        Of the order in which equally good routes take turns.

    Raises
    ------
    BadInputError
        If the path set is of another space, or the budget is too small to see every station in time: the message says
        what it takes.
    """

    def __init__(self, network: Network, paths: PathSet, setting: ProbeSetting | None = None, seed: int = 0) -> None:
        self.setting = setting = setting or ProbeSetting()
        self._routes = routes = probe_routes(network, paths)
        period_s = setting.period_ns / SECOND_NS
        self._round_bytes = (1 - setting.extra_share) * setting.bytes_per_s * period_s
        most = int(min(setting.particles_min, self._round_bytes // setting.small_bytes))
        self._tours = make_tours(routes, setting.rounds, most, setting.small_bytes, seed)
        needed = self._tours.particles_max * setting.small_bytes
        if needed > self._round_bytes:
            rule = f"must be at least {needed / period_s / (1 - setting.extra_share):.0f} to see every station in time"
            raise BadInputError("particles.bytes_per_s", rule, setting.bytes_per_s)
        self._round = 0
        self._place = 0
        self._due_ns = 0
        self._extra_bytes = self._extra_max = setting.extra_share * setting.bytes_per_s * setting.burst_s
        self._extra_ns = 0
        self._by_station(network)

    @property
    def round_count(self) -> int:
        """Rounds until they begin anew; 0 if there is no route."""
        return len(self._tours) if len(self._routes) else 0

    def next_round(self, now_ns: int) -> SendParticles | None:
        """Return the next round by the clock, or None if none is due yet or there is no route.

        Parameters
        ----------
        now_ns : int
            No earlier than before [ns].
        """
        if now_ns < self._due_ns or not len(self._routes):
            return None
        self._due_ns = now_ns + self.setting.period_ns
        tours, place = self._tours, self._place
        self._place = (place + 1) % len(tours)
        part = slice(int(tours.start[place]), int(tours.start[place + 1]))
        if part.start == part.stop:
            return None
        return self._sent(tours.row[part], tours.out_place[part], tours.in_place[part], self._round_bytes)

    def around(
        self, stations: Iterable[int], now_ns: int, *, up: NDArray[np.bool_] | None = None
    ) -> SendParticles | None:
        """Return a round over some stations now, as far as the budget for such rounds goes; None if it is used up.

        Each gets up to ``setting.visits`` particles, over other paths from call to call; a station that another's
        particles pass needs no more of its own.

        Parameters
        ----------
        stations : iterable of int
            Stations that no route passes are left out.
        now_ns : int
            No earlier than before [ns].
        up : bool (S,), optional
            Paths over stations known to be down are left out where there are others.

        Raises
        ------
        BadInputError
            If a station is none of the network's.
        """
        setting = self.setting
        wanted = self._checked(stations)
        grown = setting.extra_share * setting.bytes_per_s * max(now_ns - self._extra_ns, 0) / SECOND_NS
        self._extra_bytes = min(self._extra_bytes + grown, self._extra_max)
        self._extra_ns = max(now_ns, self._extra_ns)
        most = int(self._extra_bytes // setting.small_bytes)
        met = dict.fromkeys(wanted, 0)
        chosen: list[tuple[int, int, int]] = []
        # By turns, so that a budget that does not reach to the end is shared by all.
        for _ in range(setting.visits):
            for station in wanted:
                if len(chosen) >= most or met[station] >= setting.visits:
                    continue
                found = self._particle(station, up)
                if found is None:
                    continue
                chosen.append(found)
                for passed in self._stations_of(*found):
                    if passed in met:
                        met[passed] += 1
        if not chosen:
            return None
        row, out_place, in_place = (np.array(column, dtype=np.int32) for column in zip(*chosen, strict=True))
        command = self._sent(row, out_place, in_place, self._extra_bytes)
        self._extra_bytes -= float(command.payload_bytes.sum())
        return command

    def _checked(self, stations: Iterable[int]) -> list[int]:
        wanted = list(dict.fromkeys(int(station) for station in stations))
        count = self._routes.network.station_count
        for station in wanted:
            if not 0 <= station < count:
                raise BadInputError("stations", f"must lie in 0..{count - 1}", station)
        return wanted

    def _sent(
        self, row: NDArray[np.int32], out_place: NDArray[np.int32], in_place: NDArray[np.int32], room: float
    ) -> SendParticles:
        setting, count = self.setting, len(row)
        start, station = self._routes.whole(row, out_place, in_place)
        # As many large ones as the room allows, spread evenly, others from round to round.
        more = max(setting.large_bytes - setting.small_bytes, 1)
        share = min(setting.large_share, (room / count - setting.small_bytes) / more)
        shift = (self._round * TURN) % 1.0
        large = np.diff(np.floor(np.arange(count + 1) * max(share, 0.0) + shift)) > 0
        while large.sum() * more + count * setting.small_bytes > room and large.any():
            large[np.flatnonzero(large)[-1]] = False
        self._round += 1
        return SendParticles(
            round=self._round - 1,
            route_start=start,
            route_station=station,
            payload_bytes=np.where(large, setting.large_bytes, setting.small_bytes).astype(np.int64),
            priority=np.full(count, setting.priority, dtype=np.int8),
            collect_ns=setting.collect_ns,
        )

    def _by_station(self, network: Network) -> None:
        """Turn the routes round: trunks of each station, the short ones first, and slots' places of access lines."""
        routes = self._routes
        self._rows_start, self._rows_of = routes.rows_by_station
        slots = len(routes.slot_start) - 1
        self._slot_rows = []
        for slot_of_row in (routes.out_slot, routes.in_slot):
            by_slot = np.argsort(slot_of_row, kind="stable").astype(np.int32)
            self._slot_rows.append((by_slot, np.searchsorted(slot_of_row[by_slot], np.arange(slots + 1))))
        slot = np.repeat(np.arange(slots), np.diff(routes.slot_start))
        self._own = own = network.node_station[routes.slot_endpoint]
        self._access: dict[int, list[tuple[int, int, int]]] = {}
        for place, one in enumerate(slot.tolist()):
            for side, line in enumerate((routes.up_line, routes.down_line)):
                for station in (int(line[place]), int(own[place])):
                    self._access.setdefault(station, []).append((side, one, place))
        self._turn = np.zeros(network.station_count, dtype=np.int64)
        self._slot_turn = np.zeros(slots, dtype=np.int64)

    def _particle(self, station: int, up: NDArray[np.bool_] | None) -> tuple[int, int, int] | None:
        """Choose the next particle past a station: trunk and the places of its ends."""
        fallback = None
        for _ in range(LOOKED_AT):
            turn = int(self._turn[station])
            self._turn[station] += 1
            fixed = (-1, -1)
            first, last = int(self._rows_start[station]), int(self._rows_start[station + 1])
            if first < last:
                row = int(self._rows_of[first + turn % (last - first)])
            else:
                sides = self._access.get(station, [])
                if not sides:
                    return None
                side, slot, place = sides[turn % len(sides)]
                rows, start = self._slot_rows[side]
                count = int(start[slot + 1] - start[slot])
                if not count:
                    continue
                row = int(rows[start[slot] + (turn // len(sides)) % count])
                fixed = (place, -1) if side == 0 else (-1, place)
            found = self._ends(row, *fixed)
            if found is None:
                continue
            if up is None or all(up[passed] for passed in self._stations_of(*found) if passed != station):
                return found
            fallback = fallback or found
        return fallback

    def _ends(self, row: int, out_place: int, in_place: int) -> tuple[int, int, int] | None:
        """Choose the ends that are not given, endpoints taking turns; None if they would be the same one."""
        routes = self._routes
        places = [out_place, in_place]
        for side, slots in enumerate((routes.out_slot, routes.in_slot)):
            if places[side] >= 0:
                continue
            slot = int(slots[row])
            first, members = int(routes.slot_start[slot]), int(routes.slot_start[slot + 1] - routes.slot_start[slot])
            for _ in range(members):
                places[side] = first + int(self._slot_turn[slot]) % members
                self._slot_turn[slot] += 1
                other = places[1 - side]
                if other < 0 or routes.slot_endpoint[places[side]] != routes.slot_endpoint[other]:
                    break
        if routes.slot_endpoint[places[0]] == routes.slot_endpoint[places[1]]:
            return None
        return row, places[0], places[1]

    def _stations_of(self, row: int, out_place: int, in_place: int) -> list[int]:
        routes = self._routes
        trunk: list[int] = routes.station[routes.start[row] : routes.start[row + 1]].tolist()
        return [
            int(self._own[out_place]),
            int(routes.up_line[out_place]),
            *trunk,
            int(routes.down_line[in_place]),
            int(self._own[in_place]),
        ]
