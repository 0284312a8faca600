"""Targets: brain files, and recordings of what a brain was told live."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any

import numpy as np
from learnt_toy import learnt, toy

from feed.live.recording import HEAD, MAGIC, Recorder, read_header, read_recording
from fuzzing.containers import changed_npy, changed_zip
from fuzzing.mutating import scratched
from fuzzing.target import Mutate, Target, as_file, hold, own_folder
from fuzzing.trees import changed_json
from sim.brain_file import KIND, VERSION, BrainFile, read_brain, read_parts, read_provenance, write_brain, write_parts
from strategies.brain import DemandReported, SlotStarted, StationsChanged, TelemetryArrived
from strategies.tides.forecast import Forecast


def _brain(data: bytes) -> object:
    path = as_file(data, "a.brain")
    found = read_brain(path, toy())
    hold("its provenance is read alone too", read_provenance(path) == found.provenance)
    plan = found.prepared.plan
    hold("every hour has a slot", 0 <= plan.slot_at(plan.grid.begin) < max(1, plan.grid.count), plan.grid)
    return found


@cache
def _brain_seeds() -> list[bytes]:
    """What the toy's week taught, with the long arrays of the past left at nothing: a file of a few kilobytes."""
    prepared = learnt()
    slots, classes = prepared.plan.grid.count, len(prepared.classes.classes) + 1
    flat = np.ones((slots, classes))
    outlook = Forecast(prepared.plan.grid, p50=flat, p95=flat, mean=flat, provisional=np.zeros(slots, dtype=bool))
    path = as_file(b"", "seed.brain")
    write_brain(path, BrainFile({"scenario": "toy"}, prepared, outlook))
    document, arrays = read_parts(path)
    long = ("tides.recent_demand", "tides.error", "tides.totals_total", "classes.profile", "classes.likelihood_week")
    write_parts(path, document, {name: array * 0 if name in long else array for name, array in arrays.items()})
    return [path.read_bytes()]


def _parts(data: bytes) -> object:
    path = as_file(data, "parts.brain")
    document, arrays = read_parts(path)
    again = as_file(b"", "parts-again.brain")
    write_parts(again, document, arrays)
    back = read_parts(again)
    hold("what is written is what was read", back[0] == document and back[1].keys() == arrays.keys(), sorted(arrays))
    hold("to the bit", all(back[1][name].tobytes() == array.tobytes() for name, array in arrays.items()))
    return document


def _parts_seeds() -> list[bytes]:
    path = as_file(b"", "parts-seed.brain")
    document = {"kind": KIND, "version": VERSION, "provenance": {"scenario": "toy"}, "prepared": {"a": 1}}
    write_parts(
        path,
        document,
        {"x": np.arange(40, dtype=np.int32), "y.z": np.linspace(0, 1, 30), "b": np.zeros((2, 3, 0), dtype=bool)},
    )
    return [path.read_bytes()]


def _member(name: str) -> Mutate:
    return changed_npy if name.endswith(".npy") else changed_json


def _recording(data: bytes) -> object:
    path = as_file(data, "run.rec")
    header = read_header(path)
    found = list(read_recording(path))
    again = own_folder() / "again.rec"
    again.unlink(missing_ok=True)
    recorder = Recorder(again, header)
    for one in found:
        recorder.record(one.event, one.commands)
    recorder.close()
    back = list(read_recording(again))
    hold("what is recorded is what was read", [one.commands for one in back] == [one.commands for one in found])
    hold("so are the events", [type(one.event) for one in back] == [type(one.event) for one in found])
    return found


@cache
def _recording_seeds() -> list[bytes]:
    stations, path = 3, own_folder() / "seed.rec"
    path.unlink(missing_ok=True)
    recorder = Recorder(path, {"scenario": "toy", "brain": "dynamic", "start": "2026-03-17T00:00:00", "inputs": {}})
    whole, few = np.arange(stations, dtype=np.int64), np.arange(2, dtype=np.int32)
    recorder.record(SlotStarted(0, 0), ["SetPlan 00ff"])
    recorder.record(TelemetryArrived(65 * 10**9, 60 * 10**9, 60 * 10**9, whole / 3, whole, whole * 7, whole > 1), [])
    recorder.record(StationsChanged(70 * 10**9, 60 * 10**9, few, few > 0), ["SetPlan 0f0f", "BorrowServers 1"])
    columns: dict[str, Any] = {"source": few, "target": few, "mode": few.astype(np.int8), "kind": few.astype(np.int8)}
    columns |= {
        "priority": few.astype(np.int8),
        "exchanges": few.astype(np.int64),
        "payload_bytes": few.astype(np.int64),
    }
    known = {name: columns[name] for name in DemandReported.__dataclass_fields__ if name in columns}
    recorder.record(DemandReported(now_ns=125 * 10**9, observed_ns=120 * 10**9, window_ns=60 * 10**9, **known), [])
    recorder.close()
    return [path.read_bytes()]


def _changed_recording(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change bytes; or one record's inside, its length and checksum made right again."""
    if random.random() < 0.2 or not data.startswith(MAGIC):
        return scratched(data, random, others)
    place, records = len(MAGIC), []
    while place + HEAD.size <= len(data):
        length, _ = HEAD.unpack_from(data, place)
        records.append(data[place + HEAD.size : place + HEAD.size + length])
        place += HEAD.size + length
    if not records:
        return scratched(data, random, others)
    which = random.randrange(len(records))
    match random.randrange(8):
        case 0:
            del records[which]
        case 1:
            records.insert(which, random.choice(records))
        case _:
            records[which] = _changed_record(records[which], random)
    return MAGIC + b"".join(HEAD.pack(len(body), zlib.crc32(body)) + body for body in records)


def _changed_record(body: bytes, random: Random) -> bytes:
    try:
        whole = zlib.decompressobj().decompress(body, 1 << 20)
        (length,) = struct.unpack_from("<I", whole)
    except (zlib.error, struct.error):
        return scratched(body, random)
    text, rest = whole[4 : 4 + length], whole[4 + length :]
    if random.random() < 0.7:
        text = changed_json(text, random, ())
    elif random.random() < 0.5:
        rest = scratched(rest, random)
    else:
        rest = rest + bytes(random.choice((1, 8, 1 << 16)))
    return zlib.compress(struct.pack("<I", len(text)) + text + rest, 1)


TARGETS = (
    Target(
        "brain",
        "a brain file, `sim.brain_file.read_brain`",
        _brain,
        _brain_seeds,
        changed_zip(_member),
        cost=25.0,
        bytes_max=128 << 10,
    ),
    Target(
        "brain-parts",
        "a brain file's outer form, `sim.brain_file.read_parts`",
        _parts,
        _parts_seeds,
        changed_zip(_member),
        cost=1.0,
    ),
    Target(
        "recording",
        "a recording of a live run, `feed.live.recording`",
        _recording,
        _recording_seeds,
        _changed_recording,
        cost=0.6,
    ),
)
