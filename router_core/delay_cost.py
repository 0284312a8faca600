"""What stations cost in delay, as a convex function of their utilisation: what a replay would measure, in closed form.

By Little's law a station's mean number of chunks, waiting, in service and travelling on, is the delay that it adds in
each second, summed over all chunks: what a plan minimises when it minimises the mean time under way. Where chunks come
independently of one another (Poisson), `linear`, `queue` and `power` of a station say the rest:

    number(u) = linear * u + queue * u**power / (1 - u)

- ``linear * u`` are those in service and those that travel on: servers * (1 + after / service).
- The others wait. With one server ``power`` is 2, and this is Pollaczek's and Khinchine's formula, exact: `queue` is
  (1 + squared variation of services) / 2.
- With c servers ``power`` is sqrt(2 (c + 1)) (Sakasegawa, Ann. Inst. Statist. Math. 29, 1977), with the same `queue`
  (Lee and Longton, Oper. Res. Quart. 10, 1959; Allen and Cunneen). The mean stay of M/M/c is met to 2.6 %.
- Priorities: classes whose services are alike only change places, so the mean over all is that of first come, first
  served (Kleinrock's conservation law, Naval Res. Logist. Quart. 12, 1965).
- Equal shares: `queue` is 1, whatever the services (Baskett, Chandy, Muntz and Palacios, J. ACM 22, 1975).

Left out: buffers that spill, credits, chunks of one exchange that follow one another, and that a busy station sends on
more evenly, or in greater bursts, than chunks came.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.kernels.split_sweeps import station_delays
from router_core.network import Network, frozen
from router_core.vocabulary import Discipline

# Closer to 1 the queue is longer than a planning slot would ever let it grow: there the parabola goes on.
BEND: Final = 0.95


@dataclass(frozen=True, eq=False)
class DelayCost:
    """The mean number of chunks at each station by its utilisation; arrays are float64 (S,) and read-only.

    For utilisations up to `bend` as the module says; beyond, the parabola that touches there with the same slope and
    curvature, so that the cost is convex, increasing and finite whatever the load.

    Attributes
    ----------
    service_s : NDArray
        Mean service of a chunk [s]. A rate of r chunks/s is a utilisation of ``r * service_s / servers``.
    servers : NDArray
    linear, queue, power : NDArray
        >= 1, > 0, >= 2.
    bend : NDArray
        In (0, 1).
    """

    service_s: NDArray[np.float64]
    servers: NDArray[np.float64]
    linear: NDArray[np.float64]
    queue: NDArray[np.float64]
    power: NDArray[np.float64]
    bend: NDArray[np.float64]

    def terms(
        self, utilisation: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return (value, slope, curvature): the mean number and its two derivatives by utilisation, each (S,).

        Parameters
        ----------
        utilisation : float64 (S,)
            At least 0 and finite; 1 is as much as a station can serve, and more is allowed.

        Raises
        ------
        BadInputError
            If the shape is wrong, or naming the first station whose utilisation cannot be.
        """
        used = np.ascontiguousarray(utilisation, dtype=np.float64)
        if used.shape != self.linear.shape:
            raise BadInputError("utilisation", f"must be of shape {self.linear.shape}", used.shape)
        wrong = np.flatnonzero(~((used >= 0) & np.isfinite(used)))
        if len(wrong):
            place = int(wrong[0])
            raise BadInputError(f"utilisation[{place}]", "must be finite and not negative", float(used[place]))
        value, slope, curvature = np.empty_like(used), np.empty_like(used), np.empty_like(used)
        station_delays(used, self.linear, self.queue, self.power, self.bend, value, slope, curvature)
        return value, slope, curvature

    def value(self, utilisation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean number of chunks at each station, (S,): seconds of delay that it adds in a second."""
        return self.terms(utilisation)[0]

    def slope(self, utilisation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivative of `value`, (S,)."""
        return self.terms(utilisation)[1]

    def curvature(self, utilisation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the second derivative of `value`, (S,)."""
        return self.terms(utilisation)[2]

    def stay_s(self, utilisation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean time of a chunk from its arrival to that at its next station [s], (S,)."""
        number = self.value(utilisation)
        rate = utilisation * self.servers / self.service_s
        alone = self.linear * self.service_s / self.servers
        return np.divide(number, rate, out=alone, where=rate > 0)


def delay_cost_of_lines(capacity: NDArray[np.floating], *, bend: NDArray[np.float64] | float = BEND) -> DelayCost:
    """Return what lines cost of which only capacities are known: each is a queue M/M/1 of units of demand.

    Parameters
    ----------
    capacity : float (L,)
        Units of demand a second, finite, > 0.
    bend : float or float64 (L,)
        Utilisation from which the parabola goes on, in (0, 1).

    Raises
    ------
    BadInputError
        Naming the parameter, the rule and the value.
    """
    count = len(capacity)
    rates = _checked("capacity", np.asarray(capacity, dtype=np.float64), count, lambda x: x > 0, "positive")
    ones = np.ones(count)
    return DelayCost(
        service_s=frozen(1 / rates, np.float64),
        servers=frozen(ones, np.float64),
        linear=frozen(ones, np.float64),
        queue=frozen(ones, np.float64),
        power=frozen(2 * ones, np.float64),
        bend=frozen(_checked("bend", bend, count, lambda x: (x > 0) & (x < 1), "in (0, 1)"), np.float64),
    )


def delay_cost(
    network: Network,
    mean_bytes: NDArray[np.float64] | float,
    squared_variation: NDArray[np.float64] | float,
    *,
    available: NDArray[np.float64] | None = None,
    bend: NDArray[np.float64] | float = BEND,
) -> DelayCost:
    """Return what the stations of a network cost in delay for chunks of such sizes.

    Parameters
    ----------
    network : Network
    mean_bytes : float or float64 (S,)
        Mean size of the chunks that visit each station [bytes], >= 0.
    squared_variation : float or float64 (S,)
        Variance of their sizes by the square of the mean, >= 0.
    available : float64 (L,), optional
        Share of each line that other users leave, in (0, 1]; all of it if not given. A byte takes so much longer.
    bend : float or float64 (S,)
        Utilisation from which the parabola goes on, in (0, 1).

    Raises
    ------
    BadInputError
        Naming the parameter, the rule and the value.
    """
    costs = NetworkDelayCost(network, mean_bytes, squared_variation, bend=bend)
    return costs.at(None if available is None else np.asarray(available, dtype=np.float64))


class NetworkDelayCost:
    """What the stations of a network cost, for who asks again and again as other users come and go.

    Parameters, and what they raise, are those of `delay_cost`.
    """

    def __init__(
        self,
        network: Network,
        mean_bytes: NDArray[np.float64] | float,
        squared_variation: NDArray[np.float64] | float,
        *,
        bend: NDArray[np.float64] | float = BEND,
    ) -> None:
        stations = network.station_count
        size = _checked("mean_bytes", mean_bytes, stations, lambda x: x >= 0, "not negative")
        self._variation = _checked("squared_variation", squared_variation, stations, lambda x: x >= 0, "not negative")
        self._bend = frozen(_checked("bend", bend, stations, lambda x: (x > 0) & (x < 1), "in (0, 1)"), np.float64)
        self._line = network.line_station
        self._by_size_s = np.asarray(size * (network.station_ps_per_byte * 1e-12), dtype=np.float64)
        self._fixed_s = np.asarray(network.station_fixed_ns * 1e-9, dtype=np.float64)
        self._after_s = network.station_after_ns * 1e-9
        self._servers = frozen(network.station_servers, np.float64)
        self._shares = network.station_discipline == Discipline.SHARING
        self._power = frozen(np.sqrt(2 * (self._servers + 1)), np.float64)

    def at(self, available: NDArray[np.float64] | None) -> DelayCost:
        """Return the cost where other users leave so much of each line, (L,) in (0, 1]; None: all of it."""
        by_size_s = self._by_size_s.copy()
        if available is not None:
            left = _checked("available", available, len(self._line), lambda x: (x > 0) & (x <= 1), "in (0, 1]")
            by_size_s[self._line] /= left
        service_s: NDArray[np.float64] = self._fixed_s + by_size_s
        waits = (1 + (by_size_s / service_s) ** 2 * self._variation) / 2
        waits[self._shares] = 1.0
        linear = self._servers * (1 + self._after_s / service_s)
        for column in (service_s, linear, waits):
            column.setflags(write=False)
        return DelayCost(service_s, self._servers, linear, waits, self._power, self._bend)


def _checked(
    name: str,
    values: NDArray[np.float64] | float,
    count: int,
    rule: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    words: str,
) -> NDArray[np.float64]:
    """Return one value each, or name the first that breaks the rule."""
    given = np.asarray(values, dtype=np.float64)
    if given.shape not in ((), (count,)):
        raise BadInputError(name, f"must be a number or of shape ({count},)", given.shape)
    result = np.broadcast_to(given, (count,))
    wrong = np.flatnonzero(~(rule(result) & np.isfinite(result)))
    if len(wrong):
        place = int(wrong[0])
        where = name if given.ndim == 0 else f"{name}[{place}]"
        raise BadInputError(where, f"must be finite and {words}", float(result[place]))
    return result
