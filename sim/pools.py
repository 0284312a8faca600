"""Servers that the clouds' pools lend to nodes: what is asked for, what starts, what serves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.lending import lending_station
from router_core.network import NO_POOL, Network
from router_core.network_builder import SERVERS_MAX
from strategies.brain import BorrowServers


@dataclass(frozen=True)
class PoolUse:
    """What a pool lent in a run.

    Attributes
    ----------
    peak : int
        Most servers lent at once.
    server_ns : int
        Server time lent [ns]: a server counts from the request on, as nobody else can have it while it starts.
    """

    peak: int
    server_ns: int


class CloudPools:
    """Keeps what every node has borrowed.

    A request says how many servers a node is to have; what it has or has coming already counts. Further ones serve
    `start_ns` of the pool later. Fewer: those that would start last are called off first, then those that serve are
    given back, at once. Whoever asks for more again waits again.

    A pool that fails lends nothing: what serves is gone at once, what starts never comes. Requests stand, and further
    ones are taken, as who asks need not know; when the pool returns, it starts what nodes then are to have.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    serving : int32 (S,)
        Borrowed servers that serve at each station now.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._station = lending_station(network)
        self._coming: dict[int, list[tuple[int, int]]] = {}  # by node: (when they serve, how many), in order
        self._wanted = np.zeros(network.node_count, dtype=np.int64)
        self._up = np.ones(len(network.pools), dtype=np.bool_)
        self.serving: NDArray[np.int32] = np.zeros(network.station_count, dtype=np.int32)
        self._now_ns = 0
        self._serving_ns = np.zeros(network.station_count, dtype=np.int64)
        self._pool_ns = [0] * len(network.pools)
        self._peak = [0] * len(network.pools)

    def request(self, command: BorrowServers, now_ns: int) -> list[int]:
        """Carry out a command; `step` then says what it changes at once.

        Returns
        -------
        list of int
            Instants at which servers start to serve [ns], for `step` to be called at; now is not among them.

        Raises
        ------
        BadInputError
            If the command asks for what cannot be; nothing changes then.
        """
        wanted = self._checked(command)
        self._account(now_ns)
        starts: set[int] = set()
        for node in command.node.tolist():
            if self._up[self._network.node_pool[node]]:
                starts |= self._change(node, int(wanted[node] - self._wanted[node]), now_ns)
        self._wanted = wanted
        self._peak = [max(pair) for pair in zip(self._peak, self.lent(), strict=True)]
        return sorted(starts - {now_ns})

    def set_up(self, up: NDArray[np.bool_], now_ns: int) -> list[int]:
        """Let pools fail or return; `step` then says what it changes at once.

        Parameters
        ----------
        up : bool (P,)
            Which pools lend from now on.
        now_ns : int

        Returns
        -------
        list of int
            As of `request`.
        """
        self._account(now_ns)
        starts: set[int] = set()
        for node in np.flatnonzero(self._wanted).tolist():
            pool = self._network.node_pool[node]
            if up[pool] != self._up[pool]:
                wanted = int(self._wanted[node])
                starts |= self._change(node, wanted if up[pool] else -wanted, now_ns)
        self._up = up.copy()
        self._peak = [max(pair) for pair in zip(self._peak, self.lent(), strict=True)]
        return sorted(starts - {now_ns})

    def step(self, now_ns: int) -> None:
        """Let those serve whose time has come."""
        self._account(now_ns)
        for node in sorted(self._coming):
            coming = self._coming[node]
            self.serving[self._station[node]] += sum(count for at_ns, count in coming if at_ns <= now_ns)
            self._coming[node] = [(at_ns, count) for at_ns, count in coming if at_ns > now_ns]
            if not self._coming[node]:
                del self._coming[node]

    def lent(self) -> list[int]:
        """Return how many servers each pool has lent now, starting ones included."""
        return [count if up else 0 for count, up in zip(self._by_pool(self._wanted), self._up.tolist(), strict=True)]

    def serving_ns(self, now_ns: int) -> NDArray[np.int64]:
        """Return the time that borrowed servers were there to serve at each station up to now [ns], (S,)."""
        return self._serving_ns + self.serving.astype(np.int64) * (now_ns - self._now_ns)

    def use(self, now_ns: int) -> list[PoolUse]:
        """Return what each pool lent up to now."""
        self._account(now_ns)
        return [PoolUse(peak, lent_ns) for peak, lent_ns in zip(self._peak, self._pool_ns, strict=True)]

    def _change(self, node: int, more: int, now_ns: int) -> set[int]:
        """Let a node have more servers or fewer, and return when more start."""
        if more < 0:
            self._give_back(node, -more)
        if more <= 0:
            return set()
        at_ns = now_ns + self._network.pools[self._network.node_pool[node]].start_ns
        self._coming.setdefault(node, []).append((at_ns, more))
        return {at_ns}

    def _give_back(self, node: int, count: int) -> None:
        coming = self._coming.pop(node, [])
        while count and coming:
            at_ns, last = coming.pop()
            if last > count:
                coming.append((at_ns, last - count))
            count -= min(count, last)
        if coming:
            self._coming[node] = coming
        self.serving[self._station[node]] -= count

    def _by_pool(self, servers: NDArray[np.int64]) -> list[int]:
        total = [0] * len(self._network.pools)
        for node in np.flatnonzero(servers).tolist():
            total[self._network.node_pool[node]] += int(servers[node])
        return total

    def _account(self, now_ns: int) -> None:
        """Add up what served and was lent since the last change."""
        passed_ns = now_ns - self._now_ns
        self._serving_ns = self.serving_ns(now_ns)
        self._pool_ns = [sum_ns + lent * passed_ns for sum_ns, lent in zip(self._pool_ns, self.lent(), strict=True)]
        self._now_ns = now_ns

    def _checked(self, command: BorrowServers) -> NDArray[np.int64]:
        """Return how many servers each node is to have, or refuse the command."""
        network = self._network
        for name in ("node", "servers"):
            column = getattr(command, name)
            if column.dtype != np.int32 or column.shape != (len(command.node),):
                found = f"{column.dtype} {column.shape}"
                raise BadInputError(f"borrow.{name}", "must be int32 with one row a node", found)
        wanted = self._wanted.copy()
        named: set[int] = set()
        for row, (node, servers) in enumerate(zip(command.node.tolist(), command.servers.tolist(), strict=True)):
            if not 0 <= node < network.node_count or network.node_pool[node] == NO_POOL:
                raise BadInputError(f"borrow.node[{row}]", "must be a node with a pool", node)
            if node in named:
                raise BadInputError(f"borrow.node[{row}]", "must name no node twice", network.node_name[node])
            named.add(node)
            most = SERVERS_MAX - int(network.station_servers[self._station[node]])
            if not 0 <= servers <= most:
                raise BadInputError(f"borrow.servers[{row}]", f"must lie in 0..{most}", servers)
            wanted[node] = servers
        for pool, asked in zip(network.pools, self._by_pool(wanted), strict=True):
            if asked > pool.servers:
                rule = f"must ask for no more than the {pool.servers} servers of the pool"
                raise BadInputError(f"borrow {pool.name}", rule, asked)
        return wanted
