"""The plans of a drawn world in route tables: every look-up must say what the plan says, whatever is down."""

from __future__ import annotations

from random import Random

import numpy as np
from plain_worlds import Change, Replan, TablePlan, World

from router_core.errors import BadInputError
from router_core.live_plan import LivePlan
from router_core.network import Network
from router_core.table import NO_ROUTE, NONE_LIVE, RouteTable, route_table
from router_core.vocabulary import PRIORITY_MAX

IDS = (0, 1, 2**31, 2**62 - 1)
ATTEMPTS = 3
PAIRS_MAX = 60
# Source, target, class, exchange id.
Asked = tuple[int, int, int, int]


def table_difference(world: World) -> str | None:
    """Return the first look-up that differs from its plan in one line, or `None`; no table takes a wrong plan."""
    network = world.network
    down = np.zeros(network.station_count, dtype=bool)
    for position, step in enumerate(world.steps):
        if isinstance(step, Change) and step.kind == "up":
            for station, up in step.entries:
                if 0 <= station < network.station_count:
                    down[station] = not up
        if isinstance(step, Replan):
            told = _look_ups(world, TablePlan(network, step.table), down.copy(), Random(world.seed + position))
            if told is not None:
                return f"route table of step {position}: {told}"
    return None


def _look_ups(world: World, plan: TablePlan, down: np.ndarray, random: Random) -> str | None:
    network = world.network
    try:
        table = route_table(network, plan)
    except BadInputError:
        # Some plans are wrong on purpose; the planes' refusals of them are compared elsewhere.
        return None
    if not down.any():
        # Faults are rare here, and look-ups past them are half of the table.
        down[random.sample(range(network.station_count), network.station_count // 10)] = True
    ends = network.endpoints.tolist()
    pairs = [(random.choice(ends), random.choice(ends)) for _ in range(PAIRS_MAX)]
    rows = [(*pair, random.randint(0, PRIORITY_MAX), exchange_id) for pair in pairs for exchange_id in IDS]
    live = LivePlan(plan, network, down)
    for row in rows:
        told = _alone(table, plan, live, network, down, row)
        if told is not None:
            return told
    return _among_many(table, down, rows)


def _alone(
    table: RouteTable, plan: TablePlan, live: LivePlan, network: Network, down: np.ndarray, row: Asked
) -> str | None:
    """One look-up after the other, at several attempts, against the plan and against what front-ends make of it."""
    source, target, _, exchange_id = row
    choice, standing = plan.choice(*network.node_group[[source, target]].tolist()), live.between(source, target)
    for attempt in range(ATTEMPTS):
        own, alive = table.lookup(*row, attempt), table.lookup_live(*row, down, attempt)
        expected = choice and choice.trunks[choice.pick(exchange_id, attempt)]
        if (own and own.trunk) != expected:
            return f"{row} at attempt {attempt}: {own}, in the plan {expected}"
        expected = standing and standing.trunks[standing.pick(exchange_id, attempt)]
        if alive and alive.trunk != expected:
            return f"{row} at attempt {attempt}, live: {alive}, in the plan {expected}"
    return None


def _among_many(table: RouteTable, down: np.ndarray, rows: list[Asked]) -> str | None:
    """All at once, as each would be alone."""
    columns = [
        np.array(column, dtype=kind)
        for column, kind in zip(zip(*rows, strict=True), (np.int32, np.int32, np.int8, np.int64), strict=True)
    ]
    for mask in (None, down):
        numbers = table.lookup_many(*columns, down=mask).tolist()
        for row, number in zip(rows, numbers, strict=True):
            alone = table.lookup(*row) if mask is None else table.lookup_live(*row, mask)
            found = None if number in (NO_ROUTE, NONE_LIVE) else table.route(number)
            if found != alone:
                return f"{row}: alone {alone}, among many {found}"
    return None
