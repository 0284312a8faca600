"""One brain: a recorded run gives the identical commands offline; and a recording survives what befalls it."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from learnt_toy import brain_of, hours, lived, toy

from feed.live.command_digest import CommandDigests
from feed.live.recording import HEAD, MAGIC, Recorder, read_header, read_recording
from feed.live.rerun import rerun
from router_core.errors import BadInputError
from router_core.units import MINUTE_NS
from sim.faults import Fault, FaultKind
from strategies.brain import ParticlesCollected, SetHandling, SetPlan, StationsChanged, TelemetryArrived

NETWORK = toy().network
HEADER = {"brain": "dynamic", "start": "2026-03-09T09:00:00"}
SURGE = ("emergency@2026-03-09T10:00x8",)
LINE = tuple(int(station) for station in NETWORK.line_station[NETWORK.line_carrier >= 0][:2])
STOPPED = (Fault(FaultKind.STOP, LINE, 40 * MINUTE_NS, 50 * MINUTE_NS),)


class _Taped:
    """A brain whose run is recorded."""

    def __init__(self, brain, path):
        self.name, self._brain = brain.name, brain
        self._digests = CommandDigests(NETWORK)
        self.recorder = Recorder(path, HEADER)
        self.commands = []

    def handle(self, event):
        commands = self._brain.handle(event)
        self.recorder.record(event, self._digests.lines(commands))
        self.commands += commands
        return commands


@pytest.fixture(scope="module", params=["static", "dynamic", "probing"])
def taped(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("recordings") / f"{request.param}.rec"
    taped = _Taped(brain_of(request.param, 9), path)
    lived(taped, hours(9, 1.5, surges=SURGE), faults=STOPPED)
    taped.recorder.close()
    return request.param, path, taped.commands


def test_a_recorded_run_gives_the_identical_commands(taped) -> None:
    name, path, commands = taped
    again = rerun(read_recording(path), NETWORK, brain_of(name, 9))
    assert again.difference is None
    assert again.commands == len(commands)
    plans = [one for one in commands if isinstance(one, SetPlan)]
    assert len(plans) > (10 if name != "static" else 0), "the run had something to decide"


def test_events_come_back_to_the_bit(taped) -> None:
    name, path, _ = taped
    kinds = {type(one.event) for one in read_recording(path)}
    assert {TelemetryArrived, StationsChanged} <= kinds
    assert (ParticlesCollected in kinds) == (name == "probing")
    assert read_header(path) == HEADER
    copy = path.with_suffix(".copy")
    recorder = Recorder(copy, HEADER)
    for one in read_recording(path):
        recorder.record(one.event, one.commands)
    recorder.close()
    assert copy.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("seed", range(3))
def test_a_brain_that_was_told_something_else_is_found_out(taped, seed: int) -> None:
    name, path, _ = taped
    if name == "static":
        pytest.skip("the static brain listens to the clock alone")
    told = list(read_recording(path))
    samples = [k for k, one in enumerate(told) if isinstance(one.event, TelemetryArrived)]
    place = samples[10 + int(np.random.default_rng(seed).integers(20))]
    event = told[place].event
    told[place] = replace(told[place], event=replace(event, utilisation=np.clip(event.utilisation * 3, 0, 1)))
    found = rerun(told, NETWORK, brain_of(name, 9)).difference
    assert found is not None
    assert int(found.split()[1].rstrip(",")) >= place


def test_every_field_of_a_command_counts() -> None:
    """No field of a plan's or handling's digest may be left out: each change of one is another digest."""
    heard = []

    class Ear:
        name = "ear"

        def __init__(self):
            self._brain = brain_of("dynamic", 9)

        def handle(self, event):
            commands = self._brain.handle(event)
            heard.extend(commands)
            return commands

    lived(Ear(), hours(9, 1.5, surges=SURGE), faults=STOPPED)
    digests = CommandDigests(NETWORK)
    seen: dict[str, set[str]] = {}
    for one in heard:
        seen.setdefault(type(one).__name__, set()).update(digests.lines([one]))
        for field in fields(one):
            value = getattr(one, field.name)
            if isinstance(value, np.ndarray) and len(value):
                other = value.copy()
                other[-1] += 1
                assert digests.lines([replace(one, **{field.name: other})]) != digests.lines([one])
    plan = next(one for one in heard if isinstance(one, SetPlan) and len(one.plan.weights))
    assert digests.lines([replace(plan, reroute=not plan.reroute)]) != digests.lines([plan])
    assert len(seen["SetPlan"]) > 5
    assert len({line for one in heard if isinstance(one, SetHandling) for line in digests.lines([one])}) > 2


def test_a_torn_end_is_left_out_and_all_before_it_stays(taped, tmp_path) -> None:
    _, path, _ = taped
    whole = path.read_bytes()
    records = [one.commands for one in read_recording(path)]
    place, ends = len(MAGIC), []
    while place < len(whole):
        place += HEAD.size + HEAD.unpack_from(whole, place)[0]
        ends.append(place)
    torn = tmp_path / "torn.rec"
    for end in (*ends[1:4], *ends[-3:]):
        for cut in (end, end - 1, end - 5, end + 3 if end < len(whole) else end):
            torn.write_bytes(whole[:cut])
            left = sum(one <= cut for one in ends) - 1
            assert [one.commands for one in read_recording(torn)] == records[:left]


@pytest.mark.parametrize("seed", range(5))
def test_damage_is_an_error_and_names_the_record(taped, tmp_path, seed: int) -> None:
    _, path, _ = taped
    whole = bytearray(path.read_bytes())
    place = int(np.random.default_rng(seed).integers(len(MAGIC) + 4, len(whole) // 2))
    whole[place] ^= 0x10
    torn = tmp_path / "torn.rec"
    torn.write_bytes(whole)
    with pytest.raises(BadInputError, match="record"):
        list(read_recording(torn))


def test_a_recording_is_never_overwritten_and_another_file_is_none(tmp_path) -> None:
    path = tmp_path / "run.rec"
    Recorder(path, HEADER).close()
    with pytest.raises(BadInputError, match="never overwritten"):
        Recorder(path, HEADER)
    assert list(read_recording(path)) == []
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    with pytest.raises(BadInputError, match="must begin"):
        read_header(other)
