"""The live centre: what it publishes is what the brain commanded, and what the check refuses reaches nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from learnt_toy import TODAY, brain_of, hours, learnt, lived, toy

from feed.bundle.archive import unpack
from feed.bundle.documents import GuardsDocument
from feed.bundle.manifest import check_signature
from feed.bundle.parsed import parse, weights_at
from feed.check.findings import Rule
from feed.check.setting import CheckSetting
from feed.clock import instant_of, utc_of
from feed.live.centre import LiveCentre
from feed.live.publication import Occasion, PublicationSetting
from feed.live.publisher import Publisher
from feed.live.work import CentreWork, Restore, Turn
from feed.signing.key_files import new_key
from feed.signing.signer_specs import signer_from
from feed.signing.trust import new_trust, trusted_key
from router_core.calendar import LOCAL_TIME
from router_core.errors import BadInputError
from router_core.units import DAY_NS, MINUTE_NS, SECOND_NS
from sim.faults import Fault, FaultKind
from strategies.brain import BorrowServers, SetHandling, SetPlan, SlotStarted
from strategies.dynamic.pacing import PacedRules

NETWORK = toy().network
START_NS = instant_of((TODAY + timedelta(hours=9)).replace(tzinfo=LOCAL_TIME))
GUARDS = GuardsDocument(hold_ns_max=2 * DAY_NS, moved_share_max=1.0, reachable_share_min=0.5)
SETTING = PublicationSetting(least_ns=0)
ALLOWING = CheckSetting(allowed=frozenset({Rule.CHANGE, Rule.CAPACITY}))
LINE = tuple(int(station) for station in NETWORK.line_station[NETWORK.line_carrier >= 0][:2])
STOPPED = (Fault(FaultKind.STOP, LINE, 40 * MINUTE_NS, 50 * MINUTE_NS),)


class _Ear:
    """A brain that keeps what the world tells it, and what was in force after each event."""

    def __init__(self, brain):
        self.name, self._brain = brain.name, brain
        self.events, self.plan, self.handling = [], None, None
        self.servers = {}
        self.after = []

    def handle(self, event):
        commands = self._brain.handle(event)
        for command in commands:
            match command:
                case SetPlan(plan):
                    self.plan = plan
                case SetHandling(handling):
                    self.handling = handling
                case BorrowServers(node, servers):
                    self.servers |= dict(zip(node.tolist(), servers.tolist(), strict=True))
        self.events.append(event)
        self.after.append((self.plan, self.handling, dict(self.servers)))
        return commands


@pytest.fixture(scope="module")
def heard():
    ear = _Ear(brain_of("dynamic", 9))
    lived(ear, hours(9, 1.5, surges=("emergency@2026-03-09T10:00x8",)), faults=STOPPED)
    return ear


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    verifiers = [new_key(algorithm, folder / algorithm) for algorithm in ("sm2-sm3", "ed25519")]
    begin = datetime(2020, 1, 1, tzinfo=LOCAL_TIME)
    trust = new_trust([trusted_key(one, begin, begin + timedelta(days=9_000)) for one in verifiers], 2)
    return [f"file:{folder / algorithm}" for algorithm in ("sm2-sm3", "ed25519")], trust


def work(keys, checks: CheckSetting = ALLOWING, setting: PublicationSetting = SETTING, publishing: bool = True):
    brain = brain_of("dynamic", 9)
    publisher = Publisher(
        toy(),
        [signer_from(key) for key in keys[0]],
        GUARDS,
        None,
        inputs={},
        provenance={"brain": brain.name},
        setting=setting,
        checks=checks,
    )
    centre = LiveCentre(NETWORK, brain, learnt(), START_NS)
    return CentreWork(centre, START_NS, publisher if publishing else None, setting)


def turns(heard, of: CentreWork):
    """Let the work be told all that the world told, and give what came of each event."""
    epoch = 1
    for event, after in zip(heard.events, heard.after, strict=True):
        told = () if isinstance(event, SlotStarted) else (event,)
        done = of.turn(Turn(START_NS + event.now_ns, told, epoch))
        epoch += done.packed is not None
        yield event, after, done


def test_what_is_published_is_what_was_commanded(heard, keys) -> None:
    published = moved = held = 0
    plan_of = learnt().plan
    names = NETWORK.node_name
    for event, (plan, handling, servers), done in turns(heard, work(keys)):
        assert not done.refused
        if done.packed is None:
            continue
        published += 1
        bundle = unpack(done.packed)
        now = utc_of(START_NS + event.now_ns)
        check_signature(bundle, keys[1], now)
        parsed = parse(bundle)
        assert bundle.manifest.epoch == published
        assert bundle.manifest.soft_expiry - bundle.manifest.valid_from == timedelta(minutes=15)
        slot = plan_of.slot_at(TODAY + timedelta(hours=9, microseconds=event.now_ns // 1_000))
        for group, routes in parsed.routes.items():
            away = dict(parsed.now[group].weights) if group in parsed.now else {}
            moved += len(away)
            said = {one.target: one for one in routes.targets}
            for target in range(len(NETWORK.groups)):
                choice = plan.choice(group, target)
                assert (choice is None) == (target not in said)
                if choice is not None:
                    weights = away.get(target) or weights_at(said[target].weights, slot)
                    assert weights == choice.weights
                    assert [way.stations for way in said[target].ways] == [trunk.stations for trunk in choice.trunks]
        if isinstance(handling, PacedRules):
            holds = np.zeros_like(handling.pair_hold_ns)
            for group, now_of in parsed.now.items():
                for target, hold_ns, last_ns in now_of.holds:
                    holds[:, group, target] = hold_ns, last_ns
            held += np.count_nonzero(holds)
            assert np.array_equal(holds, handling.pair_hold_ns)
        asked = {names[node]: count for node, count in servers.items()}
        assert all(asked.get(node, 0) == count for node, count in parsed.capacity.now.items())
    assert published > 10
    assert moved > 0
    assert held > 0


def test_what_the_check_refuses_is_not_published_and_says_why(heard, keys) -> None:
    strict = replace(ALLOWING, moved_share_max=0.0, hold_growth_ns_max=0, allowed=frozenset())
    refused = published = 0
    for _, _, done in turns(heard, work(keys, strict, replace(SETTING, least_ns=MINUTE_NS))):
        refused += bool(done.refused)
        published += done.packed is not None
        assert not (done.refused and done.packed)
        assert all("next:" in line or line.startswith("and ") for line in done.refused)
    assert refused > 3
    assert published > 0


def test_a_shadow_computes_and_publishes_nothing(heard, keys) -> None:
    done = [done for _, _, done in turns(heard, work(keys, publishing=False))]
    assert all(one.occasion is None and one.packed is None for one in done)
    assert any(one.decisions for one in done)
    # The run ends at the border of a slot, which the world does not tell any more.
    assert sum(len(one.step_s) for one in done) == len(heard.events) + 1


def test_going_back_brings_the_very_files_under_a_new_epoch(heard, keys) -> None:
    of = work(keys)
    packed = [done.packed for _, _, done in turns(heard, of) if done.packed is not None]
    old, newest = unpack(packed[3]), unpack(packed[-1])
    now_ns = START_NS + 3 * 3_600 * SECOND_NS
    fresh = unpack(of.restored(Restore(now_ns, packed[3], newest.manifest.epoch + 1)))
    check_signature(fresh, keys[1], utc_of(now_ns))
    assert dict(fresh.files) == dict(old.files)
    assert fresh.manifest.content == old.manifest.content
    assert fresh.manifest.restores == old.manifest.epoch
    assert fresh.manifest.epoch == newest.manifest.epoch + 1
    # What the brain wants is published as soon as it may be again.
    done = of.turn(Turn(now_ns + SECOND_NS, (), fresh.manifest.epoch + 1))
    assert done.occasion is Occasion.FIRST
    with pytest.raises(BadInputError, match="--key"):
        work(keys, publishing=False).restored(Restore(now_ns, packed[3], 99))


def test_what_reached_nobody_is_made_again(heard, keys) -> None:
    of = work(keys)
    first = of.turn(Turn(START_NS, (), 1))
    assert first.packed is not None
    assert of.turn(Turn(START_NS + SECOND_NS, (), 2)).packed is None
    again = of.turn(Turn(START_NS + 2 * SECOND_NS, (), 2, unpublished=True))
    assert again.packed is not None
    assert unpack(again.packed).manifest.content == unpack(first.packed).manifest.content


def test_without_leave_to_publish_nothing_is_made(heard, keys) -> None:
    of = work(keys)
    assert all(of.turn(Turn(START_NS + event.now_ns, (event,), None)).packed is None for event in heard.events[:50])
