"""Digests of a brain's commands, so that two runs can be compared without keeping what they commanded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from router_core.digest import digest_of
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.plan import Plan
from strategies.brain import Command, Handling, KeepRecord, SetHandling, SetPlan
from strategies.dynamic.pacing import PacedRules
from strategies.dynamic.patched_plan import PatchedPlan
from strategies.static.path_plans import PathPlan
from strategies.static.task_rules import TaskRules


class CommandDigests:
    """Says of commands what they are, each in one line.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._groups = range(len(network.groups))
        # Brains keep the plan of a slot and patch it anew at each step: its digest is worked out once.
        self._base: tuple[Plan, str] | None = None

    def lines(self, commands: Sequence[Command]) -> list[str]:
        """Return for each command its name and digest; equal commands have equal lines."""
        return [f"{type(command).__name__} {self._digest(command)}" for command in commands]

    def _digest(self, command: Command) -> str:
        match command:
            case SetPlan(plan, reroute):
                return digest_of([self._plan(plan), reroute])
            case SetHandling(handling):
                return digest_of(_handling(handling))
            case KeepRecord(record):
                # The paths are those of the plan throughout.
                kept = [getattr(record, field.name) for field in fields(record) if field.name != "paths"]
                return digest_of(kept)
            case _:
                return digest_of(command)

    def _plan(self, plan: Plan) -> object:
        if isinstance(plan, PatchedPlan):
            return [self._known(plan.base), sorted(plan.weights.items())]
        return self._known(plan)

    def _known(self, plan: Plan) -> str:
        if self._base is None or self._base[0] is not plan:
            if isinstance(plan, PathPlan):
                digest = digest_of(plan.weights)
            else:
                digest = digest_of([plan.choice(source, target) for source in self._groups for target in self._groups])
            self._base = plan, digest
        return self._base[1]


def _handling(handling: Handling | None) -> object:
    match handling:
        case None:
            return None
        case PacedRules():
            return [_handling(handling.base), handling.pair_hold_ns, handling.hold_of_lead]
        case TaskRules():
            return handling.facts()
        case _:
            raise BadInputError("handling", "must be one that a recording can tell apart", type(handling).__name__)
