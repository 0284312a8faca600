"""Static plans for tests: drawn for a network, lawful, and otherwise of any kind."""

from __future__ import annotations

from datetime import datetime

import numpy as np

from router_core.lending import lending
from router_core.network import Network
from router_core.paths.capacity import platform_capacity
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.table.weights import whole_weights
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from strategies.static.holds import LAG_NS
from strategies.static.week_plan import WEIGHT_TOTAL, SlotFigures, WeekPlan


def drawn_plan(network: Network, seed: int, *, begin: datetime, slots: int, classes: int) -> WeekPlan:
    """Draw shares, holds, priorities, and servers within the pools' budgets; neighbouring slots are often equal."""
    random = np.random.default_rng(seed)
    paths = choose_paths(space_of_network(network), platform_capacity(network), 3)
    lent = lending(network)
    weights, servers = [], []
    for slot in range(slots):
        if slot and random.random() < 0.3:
            weights.append(weights[-1])
            servers.append(servers[-1])
            continue
        shares = random.exponential(size=paths.path_count) * (random.random(paths.path_count) < 0.7) + 1e-9
        shares /= np.bincount(paths.path_pair, shares, paths.pair_count)[paths.path_pair]
        weights.append(whole_weights(shares, paths.pair_start, WEIGHT_TOTAL))
        given = np.zeros(len(lent.node), dtype=np.int32)
        for pool, budget in enumerate(lent.budget.tolist()):
            members = np.flatnonzero(lent.pool == pool)
            if len(members):
                total = random.integers(0, budget + 1)
                given[members] = random.multinomial(total, np.full(len(members), 1 / len(members)))
        servers.append(given)
    hold = random.multinomial(WEIGHT_TOTAL, np.full(len(LAG_NS), 1 / len(LAG_NS)), (slots, classes)).astype(np.int16)
    return WeekPlan(
        grid=TimeGrid(begin, HOUR_NS, slots),
        topology=network.digest,
        paths=paths,
        weights=np.array(weights, dtype=np.int16).reshape(slots, paths.path_count),
        node=lent.node,
        servers=np.array(servers, dtype=np.int32).reshape(slots, len(lent.node)),
        lag_ns=np.array(LAG_NS, dtype=np.int64),
        hold=hold,
        hold_of_lead=0.75,
        priority=random.integers(0, 8, classes).astype(np.int8),
        provisional=np.zeros(slots, dtype=np.bool_),
        figures=SlotFigures(*(random.random(slots) for _ in range(8))),
    )
