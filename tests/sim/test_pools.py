"""Borrowed servers: by hand, and against servers that are counted one by one."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from made_networks import drawn_network

from router_core.errors import BadInputError
from router_core.network import NO_POOL, NO_STATION, Network, Pool, frozen
from router_core.network_builder import SERVERS_MAX, NetworkBuilder, Service
from router_core.vocabulary import NodeKind
from sim.pools import CloudPools, PoolUse
from strategies.brain import BorrowServers

START_NS = 100


def made_network(servers: int = 5, start_ns: int = START_NS) -> Network:
    """A centre and a front-end of one pool, a front-end of another, and one of none."""
    pools = (Pool("near", "近云", servers, start_ns), Pool("far", "远云", 2, 10 * start_ns))
    builder = NetworkBuilder(("outer",), (), pools)
    service = Service(1, 1_000, 0)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=service, process=service, pool=0)
    for name, pool in (("a", 0), ("b", 1), ("c", NO_POOL)):
        node = builder.add_node(name, NodeKind.FRONT_END, service=service, pool=pool)
        builder.add_line(node, centre, service=service)
    return builder.build()


NETWORK = made_network()
CENTRE, A, B, C = range(4)


def borrow(**nodes: int) -> BorrowServers:
    index = [NETWORK.node_index[name] for name in nodes]
    return BorrowServers(np.array(index, np.int32), np.array(list(nodes.values()), np.int32))


def ask(pools: CloudPools, now_ns: int, **nodes: int) -> list[int]:
    starts = pools.request(borrow(**nodes), now_ns)
    pools.step(now_ns)
    return starts


def serving(pools: CloudPools) -> list[int]:
    """What serves at the centre's processing, and at the front-ends."""
    stations = [NETWORK.node_process_station[CENTRE], *NETWORK.node_station[[A, B, C]]]
    assert pools.serving.sum() == pools.serving[stations].sum(), "nowhere else"
    return pools.serving[stations].tolist()


def test_servers_serve_when_they_have_started_and_go_at_once():
    pools = CloudPools(NETWORK)
    assert ask(pools, 0, centre=2, b=1) == [100, 1_000]
    assert serving(pools) == [0, 0, 0, 0]
    assert pools.lent() == [2, 1]
    pools.step(99)
    assert serving(pools) == [0, 0, 0, 0]
    pools.step(100)
    assert serving(pools) == [2, 0, 0, 0]
    pools.step(1_000)
    assert serving(pools) == [2, 0, 1, 0]
    assert ask(pools, 1_500, centre=1) == []
    assert serving(pools) == [1, 0, 1, 0], "who is not named keeps what it has"
    assert pools.serving_ns(2_000)[NETWORK.node_process_station[CENTRE]] == 2 * 1_400 + 500
    assert pools.use(2_000) == [PoolUse(2, 2 * 1_500 + 500), PoolUse(1, 2_000)]


def test_raised_twice_before_the_start():
    pools = CloudPools(NETWORK)
    assert ask(pools, 0, a=2) == [100]
    assert ask(pools, 60, a=5) == [160]
    assert ask(pools, 70, a=5) == []
    pools.step(100)
    assert serving(pools)[A] == 2
    pools.step(160)
    assert serving(pools)[A] == 5


def test_lowered_before_the_start_the_last_to_come_are_called_off_first():
    pools = CloudPools(NETWORK)
    ask(pools, 0, a=2)
    ask(pools, 60, a=4)
    ask(pools, 70, a=3)
    assert pools.lent() == [3, 0]
    pools.step(100)
    assert serving(pools)[A] == 2
    ask(pools, 110, a=1)
    assert serving(pools)[A] == 1, "the third was called off, and one of the two goes"
    pools.step(160)
    assert serving(pools)[A] == 1
    ask(pools, 200, a=0)
    ask(pools, 201, a=2)
    pools.step(300)
    assert serving(pools)[A] == 0, "who gives back and asks again waits again"
    pools.step(301)
    assert serving(pools)[A] == 2


def test_a_pool_without_delay_lends_at_once():
    network = made_network(start_ns=0)
    pools = CloudPools(network)
    assert pools.request(borrow(a=3), 50) == []
    pools.step(50)
    assert pools.serving[network.node_station[A]] == 3


def test_one_command_may_move_servers_from_node_to_node():
    pools = CloudPools(NETWORK)
    ask(pools, 0, centre=5)
    assert ask(pools, 200, centre=1, a=4) == [300]
    assert pools.lent() == [5, 0]


@pytest.mark.parametrize(
    ("node", "servers", "message"),
    [
        ([A], [6], r"^borrow near: must ask for no more than the 5 servers of the pool \(got 8\)"),
        ([A, CENTRE], [3, 3], r"^borrow near: .* \(got 6\)"),
        ([A, B], [1, 3], r"^borrow far: .* \(got 3\)"),
        ([A, C], [1, 1], r"^borrow.node\[1\]: must be a node with a pool \(got 3\)"),
        ([4], [1], r"^borrow.node\[0\]: must be a node with a pool \(got 4\)"),
        ([-1], [1], r"^borrow.node\[0\]: must be a node with a pool \(got -1\)"),
        ([A, A], [1, 1], r"^borrow.node\[1\]: must name no node twice \(got 'a'\)"),
        ([A, B], [1, -1], r"^borrow.servers\[1\]: must lie in 0.."),
        ([A], [SERVERS_MAX], r"^borrow.servers\[0\]: must lie in 0..99999"),
        ([A], [1, 1], r"^borrow.servers: must be int32 with one row a node"),
        ([A], [1.0], r"^borrow.servers: must be int32 with one row a node \(got 'float64"),
    ],
)
def test_what_cannot_be_lent_is_refused_in_one_line_and_changes_nothing(node, servers, message):
    pools = CloudPools(NETWORK)
    ask(pools, 0, centre=2, b=1)
    column = np.array(servers)
    command = BorrowServers(np.array(node, np.int32), column if column.dtype.kind == "f" else column.astype(np.int32))
    with pytest.raises(BadInputError, match=message) as caught:
        pools.request(command, 10)
    assert "\n" not in str(caught.value)
    assert pools.lent() == [2, 1]
    pools.step(1_000)
    assert serving(pools) == [2, 0, 1, 0]
    assert pools.use(1_000) == [PoolUse(2, 2_000), PoolUse(1, 1_000)]


def with_pools(random: Random, network: Network) -> Network:
    """Give nodes of a network pools at random."""
    pools = tuple(Pool(f"p{k}", f"云{k}", random.randint(0, 12), random.choice((0, 3, 10))) for k in range(3))
    member = [random.choice((NO_POOL, 0, 1, 2)) for _ in range(network.node_count)]
    return replace(network, pools=pools, node_pool=frozen(member, np.int32))


class Entries:
    """Each borrowed server is one entry of its node: the instant from which it serves."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.servers: dict[int, list[int]] = {node: [] for node in range(network.node_count)}
        self.lendable = [node for node in self.servers if network.node_pool[node] != NO_POOL]
        # What a node is to have; it has it unless its pool has failed.
        self.asked = dict.fromkeys(self.servers, 0)
        self.up = [True] * 3
        self.served_ns, self.lent_ns, self.peak = np.zeros(network.station_count, np.int64), [0] * 3, [0] * 3

    def station(self, node: int) -> int:
        process = self.network.node_process_station[node]
        return int(process if process != NO_STATION else self.network.node_station[node])

    def pass_instant(self, now: int) -> None:
        for node, ready in self.servers.items():
            self.served_ns[self.station(node)] += sum(at <= now for at in ready)
            if ready:
                self.lent_ns[self.network.node_pool[node]] += len(ready)

    def by_pool(self, counts: dict[int, int]) -> list[int]:
        return [sum(counts[node] for node in self.lendable if self.network.node_pool[node] == k) for k in range(3)]

    def lent(self) -> list[int]:
        return self.by_pool({node: len(ready) for node, ready in self.servers.items()})

    def adjust(self, now: int) -> None:
        """Let each node have what it is to have, from those that serve first."""
        for node in self.lendable:
            pool = self.network.node_pool[node]
            ready, count = self.servers[node], self.asked[node] if self.up[pool] else 0
            ready += [now + self.network.pools[pool].start_ns] * (count - len(ready))
            self.servers[node] = sorted(ready)[:count]
        self.peak = [max(pair) for pair in zip(self.peak, self.lent(), strict=True)]


@pytest.mark.parametrize("seed", range(30))
def test_server_by_server(seed):
    """Requests, and pools that fail and return; requests beyond a pool are refused, whether it has failed or not."""
    random = Random(seed)
    network = with_pools(random, drawn_network(random))
    pools, entries, now = CloudPools(network), Entries(network), 0
    wake: set[int] = set()
    refused = 0
    for _ in range(60 if entries.lendable else 0):
        until = now + random.choice((0, 1, 2, 3, 7))
        while now < until:  # instant by instant
            entries.pass_instant(now)
            now += 1
            if now in wake:
                pools.step(now)
        nodes = random.sample(entries.lendable, random.randint(1, len(entries.lendable)))
        wanted = [random.choice((0, 0, 1, 2, 5)) for _ in nodes]
        after = entries.asked | dict(zip(nodes, wanted, strict=True))
        command = BorrowServers(np.array(nodes, np.int32), np.array(wanted, np.int32))
        if any(total > pool.servers for total, pool in zip(entries.by_pool(after), network.pools, strict=True)):
            refused += 1
            with pytest.raises(BadInputError, match=r"^borrow p\d: "):
                pools.request(command, now)
        else:
            wake |= set(pools.request(command, now))
            pools.step(now)
            entries.asked = after
            entries.adjust(now)
        if random.random() < 0.3:
            entries.up = [random.random() < 0.7 for _ in range(3)]
            wake |= set(pools.set_up(np.array(entries.up), now))
            pools.step(now)
            assert pools.set_up(np.array(entries.up), now) == [], "what is so already changes nothing"
            entries.adjust(now)
        for node, ready in entries.servers.items():
            assert pools.serving[entries.station(node)] == sum(at <= now for at in ready)
        assert pools.serving.sum() == sum(at <= now for ready in entries.servers.values() for at in ready)
        assert pools.lent() == entries.lent()
        assert all(lent <= pool.servers for lent, pool in zip(pools.lent(), network.pools, strict=True))
        np.testing.assert_array_equal(pools.serving_ns(now), entries.served_ns)
    assert pools.use(now) == [PoolUse(*pair) for pair in zip(entries.peak, entries.lent_ns, strict=True)]
    assert refused or not entries.lendable or sum(pool.servers for pool in network.pools) > 15
