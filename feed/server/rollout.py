"""How a new epoch reaches the scopes: one first, then a few, then all; a pure state machine without clock or I/O.

A refusal halts it, and so does an agent that was given the epoch and then fell silent. Whoever is outside the stage
stays with the last good epoch. A newer publication takes the place of a rollout in any state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from math import ceil
from typing import Final

from router_core.errors import BadInputError


class Stage(StrEnum):
    """How far a rollout has come."""

    NONE = "none"
    ONE = "one"
    SOME = "some"
    ALL = "all"
    DONE = "done"


STAGES: Final = tuple(Stage)
REFUSED: Final = "refused"
SILENT: Final = "silent"


@dataclass(frozen=True)
class Rollout:
    """State of the rollout; each change makes a new one.

    Attributes
    ----------
    epoch : int
        Newest epoch published; 0: none yet.
    good : int
        Newest epoch that passed its canaries before `epoch` was published, or `epoch` itself once it is done; 0: none.
    stage : Stage
    since_ns : int
        When the stage began, or was drawn anew [ns].
    members : frozenset of str
        Scopes of the stage; of no meaning once all belong to it.
    given, acked, nacked : frozenset of str
        Scopes that were given `epoch`, that confirmed it, and that refused it.
    halted : str or None
        Why it does not go on: ``refused: <scope>`` or ``silent: <scope>``.
    """

    epoch: int = 0
    good: int = 0
    stage: Stage = Stage.NONE
    since_ns: int = 0
    members: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    acked: frozenset[str] = frozenset()
    nacked: frozenset[str] = frozenset()
    halted: str | None = None

    def takes_in(self, scope: str) -> bool:
        """Whether the scope belongs to the stage."""
        return self.stage in (Stage.ALL, Stage.DONE) or (self.stage != Stage.NONE and scope in self.members)

    def offered(self, scope: str) -> int:
        """Epoch that a scope is given now, 0 if there is none for it.

        Once halted, the new epoch stays with those who were given it and did not refuse it: they cannot go back to an
        older one.
        """
        if self.halted is None:
            return self.epoch if self.takes_in(scope) else self.good
        return self.epoch if scope in self.given and scope not in self.nacked else self.good


def published(
    state: Rollout,
    epoch: int,
    now_ns: int,
    scopes: Iterable[str],
    alive: Callable[[str], bool],
    share: float,
    *,
    at_once: bool = False,
) -> Rollout:
    """Begin the rollout of a new epoch.

    An epoch that had reached all, and that nobody had refused, counts as good from then on.

    Parameters
    ----------
    state : Rollout
    epoch : int
        Greater than any before.
    now_ns : int
    scopes : iterable of str
        All there are.
    alive : callable
        Whether a scope was seen of late.
    share : float
        Of the second stage, in (0, 1].
    at_once : bool
        For emergencies: to all, without canaries.

    Raises
    ------
    BadInputError
        If the epoch does not grow.
    """
    if epoch <= state.epoch:
        raise BadInputError("epoch", f"must be above {state.epoch}, the newest one published", epoch)
    passed = state.halted is None and state.stage in (Stage.ALL, Stage.DONE)
    fresh = Rollout(epoch, state.epoch if passed else state.good, Stage.ONE, now_ns)
    if at_once:
        return replace(fresh, stage=Stage.ALL)
    return replace(fresh, members=_drawn(fresh, tuple(scopes), alive, share))


def given(state: Rollout, scope: str, epoch: int) -> Rollout:
    """Take in that a scope is given an epoch; only the newest one counts, and only for whom it is offered to."""
    if epoch != state.epoch or scope in state.given or state.offered(scope) != epoch:
        return state
    return replace(state, given=state.given | {scope})


def acked(state: Rollout, scope: str, epoch: int) -> Rollout:
    """Take in that a scope follows an epoch; whoever was not given it is not heard."""
    if epoch != state.epoch or scope not in state.given or scope in state.acked:
        return state
    return replace(state, acked=state.acked | {scope}, nacked=state.nacked - {scope})


def nacked(state: Rollout, scope: str, epoch: int) -> Rollout:
    """Take in that a scope refused an epoch; that halts a rollout that is not done."""
    if epoch != state.epoch or scope not in state.given or scope in state.nacked:
        return state
    halted = state.halted or (None if state.stage == Stage.DONE else f"{REFUSED}: {scope}")
    return replace(state, nacked=state.nacked | {scope}, acked=state.acked - {scope}, halted=halted)


def advanced(
    state: Rollout,
    now_ns: int,
    scopes: Iterable[str],
    alive: Callable[[str], bool],
    share: float,
    stage_ns: int,
) -> Rollout:
    """Go on as far as the answers allow.

    A stage is passed when all of its members that are alive, and all that were given the epoch, have confirmed it, and
    at least one has. A stage of which nobody is alive, and nobody was given the epoch, is drawn anew. Who was given the
    epoch and does not answer within `stage_ns` halts it: the policy may be what silenced it.
    """
    everyone = tuple(scopes)
    while state.halted is None and state.stage in (Stage.ONE, Stage.SOME, Stage.ALL):
        members = [scope for scope in everyone if state.takes_in(scope)]
        open_ones = [s for s in members if s not in state.acked and (s in state.given or alive(s))]
        if not open_ones and any(scope in state.acked for scope in members):
            state = _next(state, now_ns, everyone, alive, share)
            continue
        silent = sorted(scope for scope in open_ones if scope in state.given)
        if silent and now_ns - state.since_ns > stage_ns:
            return replace(state, halted=f"{SILENT}: {silent[0]}")
        if not open_ones and state.stage != Stage.ALL:
            members_now = _drawn(state, everyone, alive, share)
            if members_now != state.members:
                return replace(state, members=members_now, since_ns=now_ns)
        return state
    return state


def _next(state: Rollout, now_ns: int, scopes: Sequence[str], alive: Callable[[str], bool], share: float) -> Rollout:
    stage = STAGES[STAGES.index(state.stage) + 1]
    state = replace(state, stage=stage, since_ns=now_ns)
    if stage == Stage.SOME:
        return replace(state, members=_drawn(state, scopes, alive, share))
    if stage == Stage.DONE:
        return replace(state, good=state.epoch, members=frozenset())
    return replace(state, members=frozenset())


def _drawn(state: Rollout, scopes: Sequence[str], alive: Callable[[str], bool], share: float) -> frozenset[str]:
    """Who was given the epoch already, then who is alive, then the others; each by a hash of scope and epoch."""
    there = sum(scope in state.given or alive(scope) for scope in scopes)
    count = 1 if state.stage == Stage.ONE else max(1, ceil(share * there))
    order = sorted(scopes, key=lambda scope: (scope not in state.given, not alive(scope), _rank(scope, state.epoch)))
    return frozenset(order[: max(count, sum(scope in state.given for scope in scopes))])


def _rank(scope: str, epoch: int) -> bytes:
    return sha256(f"{epoch}\0{scope}".encode()).digest()
