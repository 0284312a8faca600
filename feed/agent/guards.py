"""Guards: what changes too much at once, holds too long or reaches too little is refused, whoever signed it."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from feed.agent.agent_policy import AgentPolicy
from feed.bundle.documents import GUARDS_FILE
from feed.refusals import Refusal, RefusedBundleError
from router_core.network import Network
from router_core.plan import Choice, Plan, Trunk


def check_guards(
    policy: AgentPolicy, in_force: Plan | None, missed: int, new: Plan, down: NDArray[np.bool_] | None
) -> None:
    """Hold a policy against its own guards.

    Parameters
    ----------
    policy : AgentPolicy
    in_force : Plan or None
        What is in force now; None: nothing that counts, so any change is for the better.
    missed : int
        How many epochs the policy is ahead of the one in force: what each of them allowed adds up.
    new : Plan
        What would be in force now by the policy.
    down : bool (S,), optional
        Stations known to be down.

    Raises
    ------
    RefusedBundleError
        GUARD.
    """
    guards = policy.parsed.guards
    _check_holds(policy, guards.hold_ns_max)
    if in_force is None:
        return
    moved, allowed = moved_share(policy, in_force, new), min(guards.moved_share_max * max(missed, 1), 1.0)
    if moved > allowed:
        rule = f"{GUARDS_FILE}: moved_share_max: no more than {allowed:.4g} of all weight may move at once"
        raise RefusedBundleError(Refusal.GUARD, f"{rule}, not {moved:.4g}")
    reached = reachable_share(policy, in_force, new, down)
    if reached < guards.reachable_share_min:
        rule = f"{GUARDS_FILE}: reachable_share_min: {guards.reachable_share_min:.4g} of targets must stay reachable"
        raise RefusedBundleError(Refusal.GUARD, f"{rule}, not {reached:.4g}")


def moved_share(policy: AgentPolicy, before: Plan, after: Plan) -> float:
    """Which share of all weight goes another way, over targets that both plans have a way to; in [0, 1]."""
    moved, count = 0.0, 0
    for target in range(len(policy.network.groups)):
        old, new = before.choice(policy.group, target), after.choice(policy.group, target)
        if old is not None and new is not None:
            count += 1
            moved += _moved(old, new)
    return moved / count if count else 0.0


def reachable_share(policy: AgentPolicy, before: Plan, after: Plan, down: NDArray[np.bool_] | None) -> float:
    """Of the targets that have a live way before, how many have one after; 1 if there are none."""
    groups = range(len(policy.network.groups))
    live = [target for target in groups if has_live_way(policy, before.choice(policy.group, target), down)]
    if not live:
        return 1.0
    still = sum(has_live_way(policy, after.choice(policy.group, target), down) for target in live)
    return still / len(live)


def has_live_way(policy: AgentPolicy, choice: Choice | None, down: NDArray[np.bool_] | None) -> bool:
    """Whether some way of a choice runs over no station that is down, nor leaves by an access line that is."""
    if choice is None:
        return False
    if down is None or not down.any():
        return True
    return any(is_live(policy.network, policy.node, trunk, down) for trunk in choice.trunks)


def is_live(network: Network, source: int, trunk: Trunk, down: NDArray[np.bool_]) -> bool:
    """Whether a trunk, and the access line that leads an endpoint to it, are up."""
    return not down[network.access_station[source, trunk.first]] and not down[list(trunk.stations)].any()


def _check_holds(policy: AgentPolicy, hold_ns_max: int) -> None:
    parsed = policy.parsed
    now = parsed.now.get(policy.group)
    of_now = () if now is None else tuple(hold for _, *holds in now.holds for hold in holds)
    longest = max(*parsed.release.lag_ns, *of_now, 0)
    if longest > hold_ns_max:
        detail = f"{GUARDS_FILE}: hold_ns_max: no hold may be longer than {hold_ns_max} ns, not {longest}"
        raise RefusedBundleError(Refusal.GUARD, detail)


def _moved(old: Choice, new: Choice) -> float:
    """Half the L1 distance between two choices' shares, way by way."""
    if old.trunks == new.trunks and old.weights == new.weights:
        return 0.0
    shares: Counter[Trunk] = Counter()
    for choice, sign in ((old, 1), (new, -1)):
        total = sum(choice.weights)
        for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
            shares[trunk] += sign * weight / total  # type: ignore[assignment]
    return sum(abs(share) for share in shares.values()) / 2
