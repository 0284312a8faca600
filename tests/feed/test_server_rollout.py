"""Laws of a rollout, whatever agents, operators and clocks do."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from feed.server import rollout
from feed.server.rollout import Rollout, Stage
from router_core.errors import BadInputError

SCOPES = tuple(f"f{number}" for number in range(23))
STAGE_NS = 1_000
some = st.sampled_from(SCOPES)


class Rollouts(RuleBasedStateMachine):
    """Agents that answer, fall silent, refuse, and lie, in any order."""

    @initialize()
    def begin(self) -> None:
        self.state = Rollout()
        self.now_ns = 0
        self.alive: set[str] = set()
        self.holds: dict[str, int] = {}
        self.published: list[int] = []
        self.refused: set[int] = set()

    def settle(self) -> None:
        before = self.state
        self.state = rollout.advanced(before, self.now_ns, SCOPES, self.alive.__contains__, 0.1, STAGE_NS)
        if self.state.stage != before.stage and before.epoch == self.state.epoch:
            members = [scope for scope in SCOPES if before.takes_in(scope)]
            assert any(scope in self.state.acked for scope in members)
            assert all(s in self.state.acked for s in members if s in self.alive or s in before.given)

    @rule(step=st.integers(1, 3), at_once=st.booleans())
    def publish(self, step: int, at_once: bool) -> None:
        epoch = self.state.epoch + step
        self.state = rollout.published(
            self.state, epoch, self.now_ns, SCOPES, self.alive.__contains__, 0.1, at_once=at_once
        )
        self.published.append(epoch)
        assert self.state.halted is None
        assert self.state.good < epoch
        assert at_once or sum(map(self.state.takes_in, SCOPES)) == 1
        self.settle()

    @rule(scope=some)
    def fetch(self, scope: str) -> None:
        self.alive.add(scope)
        self.settle()
        epoch = self.state.offered(scope)
        assert epoch in (0, self.state.epoch, self.state.good)
        if epoch == self.state.epoch and epoch:
            # Nobody outside the stage is given it.
            assert self.state.takes_in(scope)
            assert self.state.halted is None or scope in self.state.given
            self.state = rollout.given(self.state, scope, epoch)
        self.holds[scope] = max(epoch, self.holds.get(scope, 0))
        self.settle()

    @rule(scope=some, epoch=st.integers(0, 40), lie=st.booleans())
    def confirm(self, scope: str, epoch: int, lie: bool) -> None:
        epoch = epoch if lie else self.holds.get(scope, 0)
        before = self.state
        after = rollout.acked(before, scope, epoch)
        assert rollout.acked(after, scope, epoch) == after
        if scope not in before.given:
            assert after == before
        self.state = after
        self.settle()

    @rule(scope=some, epoch=st.integers(0, 40), lie=st.booleans())
    def refuse(self, scope: str, epoch: int, lie: bool) -> None:
        epoch = epoch if lie else self.holds.get(scope, 0)
        before = self.state
        after = rollout.nacked(before, scope, epoch)
        assert rollout.nacked(after, scope, epoch) == after
        if epoch == before.epoch and epoch and scope in before.given and before.stage != Stage.DONE:
            assert after.halted
            self.refused.add(epoch)
        self.state = after
        stage = after.stage
        self.settle()
        if after.halted:
            assert self.state.stage == stage

    @rule(scope=some)
    def fall_silent(self, scope: str) -> None:
        self.alive.discard(scope)
        self.settle()

    @rule(by_ns=st.integers(1, 3 * STAGE_NS))
    def wait(self, by_ns: int) -> None:
        self.now_ns += by_ns
        self.settle()

    @invariant()
    def epochs_grow(self) -> None:
        assert self.published == sorted(set(self.published))
        assert self.state.epoch == (self.published[-1] if self.published else 0)

    @invariant()
    def the_good_one_was_never_refused(self) -> None:
        assert self.state.good not in self.refused

    @invariant()
    def who_is_outside_has_the_good_one(self) -> None:
        for scope in SCOPES:
            if not self.state.takes_in(scope):
                assert self.state.offered(scope) == self.state.good
        assert self.state.acked <= self.state.given
        assert self.state.nacked <= self.state.given


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def alive(_: str) -> bool:
    return True


def test_one_then_a_tenth_then_all() -> None:
    state = rollout.published(Rollout(), 1, 0, SCOPES, alive, 0.1)
    seen = []
    while state.stage != Stage.DONE:
        members = [scope for scope in SCOPES if state.takes_in(scope) and scope not in state.acked]
        seen.append(len([scope for scope in SCOPES if state.takes_in(scope)]))
        for scope in members:
            state = rollout.acked(rollout.given(state, scope, 1), scope, 1)
        state = rollout.advanced(state, 0, SCOPES, alive, 0.1, STAGE_NS)
    assert seen == [1, 3, 23]
    assert state.good == 1


def test_canaries_differ_from_epoch_to_epoch() -> None:
    drawn = {rollout.published(Rollout(), epoch, 0, SCOPES, alive, 0.1).members for epoch in range(1, 40)}
    assert len(drawn) > 10
    assert rollout.published(Rollout(), 7, 0, SCOPES, alive, 0.1) == rollout.published(
        Rollout(), 7, 0, SCOPES[::-1], alive, 0.1
    )


def test_a_canary_that_falls_silent_halts() -> None:
    state = rollout.published(Rollout(), 1, 0, SCOPES, alive, 0.1)
    canary = min(state.members)
    state = rollout.given(state, canary, 1)
    # It is gone, and all others are there: it was given the policy, so it is not drawn anew.
    others = frozenset(SCOPES) - {canary}
    state = rollout.advanced(state, STAGE_NS, SCOPES, others.__contains__, 0.1, STAGE_NS)
    assert state.halted is None
    assert state.members == {canary}
    state = rollout.advanced(state, STAGE_NS + 1, SCOPES, others.__contains__, 0.1, STAGE_NS)
    assert state.halted == f"silent: {canary}"


def test_a_canary_that_was_never_there_is_drawn_anew() -> None:
    state = rollout.published(Rollout(), 1, 0, SCOPES, lambda _: False, 0.1)
    absent = min(state.members)
    there = next(scope for scope in SCOPES if scope != absent)
    state = rollout.advanced(state, 0, SCOPES, {there}.__contains__, 0.1, STAGE_NS)
    assert state.members == {there}


def test_an_epoch_that_does_not_grow_is_refused() -> None:
    state = rollout.published(Rollout(), 5, 0, SCOPES, alive, 0.1)
    with pytest.raises(BadInputError, match="must be above 5"):
        rollout.published(state, 5, 0, SCOPES, alive, 0.1)
