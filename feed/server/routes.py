"""Which route an exchange takes by the policy in force, with the local alternates that front-ends take."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feed.bundle.parsed import Parsed, weights_at
from feed.clock import local_of, utc_of
from router_core.live_plan import LivePlan
from router_core.network import Network
from router_core.plan import Choice, Trunk, route

PLANS_MAX = 64


@dataclass(frozen=True)
class RouteAnswer:
    """A route and where it comes from.

    Attributes
    ----------
    slot : int
    layer : str
        ``dynamic``, or ``static`` once the dynamic layer has lapsed.
    position, ways : int
        Which of how many ways it is, in order of preference.
    trunk : Trunk
    stations : tuple of int
        From endpoint to endpoint.
    live : bool
        Whether no station of it is known to be down.
    """

    slot: int
    layer: str
    position: int
    ways: int
    trunk: Trunk
    stations: tuple[int, ...]
    live: bool


class GroupPlan:
    """`Plan` of one source group in one slot, as its documents say.

    Parameters
    ----------
    parsed : Parsed
    group : int
    slot : int
    dynamic : bool
        Whether the dynamic layer holds.
    """

    def __init__(self, parsed: Parsed, group: int, slot: int, *, dynamic: bool) -> None:
        routes, now = parsed.routes.get(group), parsed.now.get(group)
        weights = dict(now.weights) if now is not None and dynamic else {}
        self._group = group
        self._choices = {
            entry.target: Choice(
                tuple(Trunk(way.first, way.last, way.stations) for way in entry.ways),
                weights.get(entry.target) or weights_at(entry.weights, slot),
            )
            for entry in (routes.targets if routes is not None else ())
        }

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways to a group."""
        return self._choices.get(target_group) if source_group == self._group else None


class RouteBook:
    """Answers from bundles, and remembers the plans it made of them.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._plans: OrderedDict[tuple[int, int, int, bool, bytes], LivePlan] = OrderedDict()

    def answer(
        self,
        parsed: Parsed,
        source: int,
        target: int,
        exchange: int,
        attempt: int,
        now_ns: int,
        down: NDArray[np.bool_],
    ) -> RouteAnswer | None:
        """Return the route, `None` if there is none.

        Parameters
        ----------
        parsed : Parsed
            At least what the source's scope has of a bundle.
        source, target : int
            Endpoints.
        exchange, attempt : int
            As in `Choice.pick`.
        now_ns : int
            Since 1970 [ns].
        down : bool (S,)
        """
        network = self._network
        group = int(network.node_group[source])
        slot = parsed.clock().slot_at(local_of(now_ns))
        dynamic = utc_of(now_ns) < parsed.manifest.soft_expiry
        key = parsed.manifest.epoch, group, slot, dynamic, np.packbits(down).tobytes()
        plan = self._plans.get(key)
        if plan is None:
            plan = LivePlan(GroupPlan(parsed, group, slot, dynamic=dynamic), network, down)
            self._plans[key] = plan
            if len(self._plans) > PLANS_MAX:
                self._plans.popitem(last=False)
        choice = plan.between(source, target)
        if choice is None:
            return None
        position = choice.pick(exchange, attempt)
        trunk = choice.trunks[position]
        stations = route(network, source, target, trunk)
        live = not bool(down[list(stations)].any())
        layer = "dynamic" if dynamic else "static"
        return RouteAnswer(slot, layer, position, len(choice.trunks), trunk, stations, live)


@dataclass(frozen=True)
class CapacityAnswer:
    """What nodes are to borrow from their clouds' pools.

    Attributes
    ----------
    slot : int
    layer : str
        As in `RouteAnswer`.
    servers : dict of str to int
        By node; one that is not named borrows nothing.
    """

    slot: int
    layer: str
    servers: dict[str, int]


def capacity_of(parsed: Parsed, now_ns: int) -> CapacityAnswer:
    """Return what a bundle says at an instant since 1970 [ns]."""
    slot = parsed.clock().slot_at(local_of(now_ns))
    dynamic = utc_of(now_ns) < parsed.manifest.soft_expiry
    servers = {node: weights_at(runs, slot) for node, runs in parsed.capacity.planned.items()}
    servers |= parsed.capacity.now if dynamic else {}
    named = {node: count for node, count in sorted(servers.items()) if count}
    return CapacityAnswer(slot, "dynamic" if dynamic else "static", named)
