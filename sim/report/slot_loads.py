"""What the report draws over time: loads on the map, each station's peak and mean, queues of the worst stations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.report.packing import in_doublings
from sim.report.province_map import NOT_ON_MAP, ProvinceMap
from sim.results import StationSlots

# Values of loads that a page keeps in memory; packed, a day of the province takes a tenth of a byte each.
MAP_VALUES_MAX: Final = 12_000_000
QUEUE_STEPS_MAX: Final = 2_000
QUEUE_STATIONS: Final = 5

Slots = Callable[[str], Iterator[StationSlots]]


@dataclass(frozen=True, eq=False)
class SlotLoads:
    """Loads of one brain.

    Attributes
    ----------
    percent : uint8 (rows of the map, steps)
        Utilisation [%], the highest of the stations of a row and of the slots of a step.
    waiting : uint8 (rows of the map, steps)
        Chunks that wait at the stations of a row together, at the end of the fullest slot of a step, in twelfths of a
        doubling (`packing.in_doublings`).
    busiest, mean : float64 (S,)
        Mean utilisation of each station in its busiest window, and over all slots. A single slot would tell little:
        in one of five minutes many a station is busy throughout.
    peak_waiting : int64 (S,)
        Longest queue at a slot's end.
    """

    percent: NDArray[np.uint8]
    waiting: NDArray[np.uint8]
    busiest: NDArray[np.float64]
    mean: NDArray[np.float64]
    peak_waiting: NDArray[np.int64]


def steps_for(count: int, limit: int) -> int:
    """Return how many slots make one step, so that `count` slots take at most `limit` steps (at least 1)."""
    return max(1, -(-count // max(1, limit)))


def map_slots_per_step(rows: int, slots: int, brains: int) -> int:
    """Return how many slots one step of the map covers: 1, unless the file would grow beyond its budget."""
    return steps_for(slots, MAP_VALUES_MAX // max(1, rows * brains))


def slot_loads(
    province: ProvinceMap, parts: Iterator[StationSlots], slots: int, slots_per_step: int, slots_per_window: int
) -> SlotLoads:
    """Accumulate one brain's rows part by part.

    Parameters
    ----------
    province, parts
        The map, and the rows.
    slots, slots_per_step, slots_per_window : int
        Slots of the run, of a step of the map, and of a window over which stations are compared; each at least 1.
        Windows follow one another from the start; the last may be shorter.
    """
    stations = len(province.station_row)
    percent = np.zeros((province.row_count, -(-slots // slots_per_step)), dtype=np.uint8)
    windows = -(-slots // slots_per_window)
    total = np.zeros((stations, windows), dtype=np.float32)
    peak_waiting = np.zeros(stations, dtype=np.int64)
    waiting = np.zeros((province.row_count, slots), dtype=np.int32)
    for part in parts:
        share = np.minimum(part.utilisation, np.float32(1.0))
        np.add.at(total, (part.station, part.slot // slots_per_window), share)
        np.maximum.at(peak_waiting, part.station, part.waiting)
        row = province.station_row[part.station]
        shown = row != NOT_ON_MAP
        value = np.rint(100 * share[shown]).astype(np.uint8)
        np.maximum.at(percent, (row[shown], part.slot[shown] // slots_per_step), value)
        held = np.flatnonzero(shown & (part.waiting > 0))
        np.add.at(waiting, (row[held], part.slot[held]), part.waiting[held])
    length = np.minimum(slots - slots_per_window * np.arange(windows), slots_per_window)
    # A short last window says little: what drains after the trace's end would stand beside whole hours.
    counted = length * 2 >= slots_per_window
    busiest = (total[:, counted] / length[counted]).max(axis=1).astype(np.float64)
    fullest = np.maximum.reduceat(waiting, np.arange(0, slots, slots_per_step), axis=1)
    return SlotLoads(percent, in_doublings(fullest), busiest, total.sum(axis=1, dtype=np.float64) / slots, peak_waiting)


@dataclass(frozen=True, eq=False)
class Queues:
    """Exchanges that wait at a slot's end, the most of each step's slots.

    Attributes
    ----------
    total : int64 (steps,)
        At all stations together.
    waiting : int64 (stations, steps)
    """

    total: NDArray[np.int64]
    waiting: NDArray[np.int64]


def worst_queues(loads: list[SlotLoads]) -> tuple[int, ...]:
    """Return the stations whose queue was longest under any brain; ties go to the lower index."""
    if not loads:
        return ()
    longest = np.max([load.peak_waiting for load in loads], axis=0)
    order = np.argsort(-longest, kind="stable")[:QUEUE_STATIONS]
    return tuple(int(station) for station in order if longest[station] > 0)


def queues(stations: tuple[int, ...], parts: Iterator[StationSlots], slots: int, slots_per_step: int) -> Queues:
    """Collect the queues of some stations, and the sum over all; `slots` is at least 1."""
    total = np.zeros(slots, dtype=np.int64)
    waiting = np.zeros((len(stations), slots), dtype=np.int64)
    for part in parts:
        some = np.flatnonzero(part.waiting)
        slot, station, count = part.slot[some], part.station[some], part.waiting[some].astype(np.int64)
        np.add.at(total, slot, count)
        for row, wanted in enumerate(stations):
            chosen = station == wanted
            waiting[row, slot[chosen]] = count[chosen]
    starts = np.arange(0, slots, slots_per_step)
    return Queues(
        np.maximum.reduceat(total, starts),
        np.maximum.reduceat(waiting, starts, axis=1),
    )
