"""What many agents' policies come to for a simulated world: whose exchange it is goes by its own front-end's policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from feed.agent.agent_policy import AgentPolicy
from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.plan import Choice
from strategies.brain import Handled


@dataclass(frozen=True)
class InForce:
    """What an agent goes by at an instant.

    Attributes
    ----------
    policy : AgentPolicy
    slot : int
    dynamic : bool
        Whether its dynamic layer holds.
    """

    policy: AgentPolicy
    slot: int
    dynamic: bool

    @property
    def key(self) -> tuple[int, int, bool]:
        """Equal policies in force have equal keys."""
        return self.policy.parsed.manifest.epoch, self.slot, self.dynamic


class AgentsPlan:
    """`EndpointPlan` of what front-ends have in force at one instant.

    Parameters
    ----------
    network : Network
    in_force : mapping of int to InForce
        By node; a front-end without a policy has no way.
    """

    def __init__(self, network: Network, in_force: Mapping[int, InForce]) -> None:
        self._network = network
        self._in_force = dict(in_force)
        self._first = {int(network.node_group[node]): one for node, one in reversed(self._in_force.items())}

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways of a group's first front-end."""
        one = self._first.get(source_group)
        return None if one is None else one.policy.choice(target_group, one.slot, one.dynamic)

    def between(self, source: int, target: int) -> Choice | None:
        """Ways from one endpoint to another, as the first one has them."""
        one = self._in_force.get(source)
        if one is None:
            return None
        return one.policy.choice(int(self._network.node_group[target]), one.slot, one.dynamic)


class AgentsHandling:
    """`Handling` of what front-ends have in force at one instant.

    Parameters
    ----------
    in_force : mapping of int to InForce
        By node, of every endpoint.
    """

    def __init__(self, in_force: Mapping[int, InForce]) -> None:
        self._of = {node: one.policy.handling(one.slot, one.dynamic) for node, one in in_force.items()}

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        """Ask each task's own front-end."""
        hold_ns = np.zeros(len(tasks), dtype=np.int64)
        priority = tasks.priority.copy()
        for first, last in _runs(tasks.source.tolist()):
            handled = self._of[int(tasks.source[first])].handle(tasks[first:last], first_id + first)
            hold_ns[first:last], priority[first:last] = handled.hold_ns, handled.priority
        return Handled(hold_ns, priority)


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return borders of the runs of equal values."""
    edges = [0, *(place for place in range(1, len(values)) if values[place] != values[place - 1]), len(values)]
    return list(pairwise(edges)) if values else []
