"""Ten thousand packages that must not take effect: none does, each is refused for its reason, and nothing changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bad_packages import KINDS, checks, expired, good, good_bytes, in_force, known, not_yet_valid
from feed_agent import FakeServer, agent, bundle, some_scope
from learnt_toy import toy

from feed.agent.checks import PackageChecks
from feed.agent.state import Seen
from feed.bundle.manifest import etag_of
from feed.clock import SetClock
from feed.refusals import Refusal, RefusedBundleError
from router_core.errors import BadInputError
from router_core.randomness import stream


def test_what_mutants_start_from_is_accepted():
    checked = checks().check(good_bytes(), known())
    assert checked.etag == etag_of(good())
    assert checked.policy.targets == in_force().targets


def test_there_are_ten_thousand():
    assert sum(KINDS.values()) == 10_000


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_none_is_accepted_and_each_has_its_reason(kind):
    draw = stream(7, kind.__name__)
    for number in range(KINDS[kind]):
        bad = kind(draw)
        with pytest.raises(RefusedBundleError) as refused:
            checks(bad.limits).check(bad.data, bad.known)
        assert refused.value.refusal in bad.reasons, f"{kind.__name__} {number}: {refused.value}"
        assert str(refused.value).isprintable()


@pytest.mark.parametrize("seed", range(3))
def test_a_refused_package_changes_nothing_but_what_is_told(tmp_path, seed):
    clock, server = SetClock(known().now_ns), FakeServer()
    server.publish(bundle(49))
    one = agent(tmp_path, server, clock)
    one.step()
    held = one.in_force
    before = _kept(tmp_path)
    nacks = 0
    # Times that lie ahead come last: they let the policy in force lapse.
    for kind in sorted(KINDS, key=lambda one: one in (not_yet_valid, expired)):
        bad = kind(stream(seed, kind.__name__))
        if bad.limits is not None or bad.known.pinned is not None or bad.known.seen.epoch != 49:
            continue  # of these the agent knows something else
        clock.set(bad.known.now_ns)
        again = agent(tmp_path, server, clock)
        server.data, server.etag = bad.data, f"50-{nacks:016x}"
        again.step()
        assert again.in_force.checked.etag == held.checked.etag, kind.__name__
        assert _kept(tmp_path) == before, kind.__name__
        assert server.told[-1]["result"] == "nack"
        assert Refusal(server.told[-1]["refusal"]) in bad.reasons
        nacks += 1
    assert nacks >= 14


def _kept(folder):
    """All that a state folder holds of policies: files and rows."""
    from feed.agent.state import AgentState  # noqa: PLC0415

    state = AgentState(folder / "state", read_only=True)
    files = {path.name: path.read_bytes() for path in (folder / "state" / "bundles").iterdir()}
    rows = [(one.epoch, one.etag, one.sha256, one.accepted_ns) for one in state.kept()]
    found = files, rows, state.active().epoch, state.seen, state.pinned
    state.close()
    return found


def test_the_same_epoch_with_the_same_content_is_no_replay():
    again = replace(known(), seen=Seen(50, etag_of(good())))
    assert checks().check(good_bytes(), again).etag == etag_of(good())


def test_one_who_missed_epochs_may_move_further():
    """The guard is meant for one publication; three that moved a fifth each have moved three fifths."""
    from bad_packages import _guard_breakers  # noqa: PLC0415

    data, knows = _guard_breakers()[0]
    with pytest.raises(RefusedBundleError, match="guard"):
        checks().check(data, knows)
    assert checks().check(data, replace(knows, in_force=None))


def test_what_follows_a_lapsed_policy_is_not_held_against_it():
    from bad_packages import _guard_breakers  # noqa: PLC0415

    from feed.agent.expiry import Layer  # noqa: PLC0415

    data, knows = _guard_breakers()[0]
    assert checks().check(data, replace(knows, layer=Layer.LAPSED))


def test_a_scope_that_is_no_endpoint_is_bad_input():
    network = toy().network
    centre = next(name for name, endpoint in zip(network.node_name, network.is_endpoint, strict=True) if not endpoint)
    with pytest.raises(BadInputError, match="endpoint"):
        PackageChecks(network, centre, checks().trust)
    assert some_scope() != centre
