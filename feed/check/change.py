"""How far a policy is from the one in force."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feed.bundle.parsed import Parsed
from feed.check.findings import Finding, Rule, Severity
from feed.check.holds import longest_holds
from feed.check.moment import begins_at, dynamic_ends_at
from feed.check.policy_table import PolicyTable, policy_table
from feed.check.setting import CheckSetting
from router_core.units import SECOND_NS


@dataclass(frozen=True, eq=False)
class Change:
    """What moves between two policies of one platform.

    Attributes
    ----------
    groups : int
    code : int64 (X,)
        ``source * groups + target`` of every pair that either policy has, ascending.
    now : float64 (X,)
        Share of each pair's weight that moves when the new policy takes over; 1 where only one of them has ways.
    planned : float64 (X,)
        The same between their static layers, on the mean of the new one's slots.
    """

    groups: int
    code: NDArray[np.int64]
    now: NDArray[np.float64]
    planned: NDArray[np.float64]


def change_of(table: PolicyTable, parsed: Parsed, active: Parsed) -> Change:
    """Measure what moves; the groups of both must be alike."""
    before = policy_table(active)
    groups = len(table.names)
    ids, id_pair = _identified(groups, table, before)
    code, place = np.unique(id_pair, return_inverse=True)
    clock_new, clock_old = parsed.clock(), active.clock()

    def moved(new: NDArray[np.int64], old: NDArray[np.int64]) -> NDArray[np.float64]:
        apart = np.zeros(len(id_pair))
        for sign, of, weights, own in ((1.0, table, new, ids[0]), (-1.0, before, old, ids[1])):
            total = np.bincount(of.pair, weights, of.pair_count)
            apart += sign * np.bincount(own, weights / total[of.pair], len(id_pair))
        # A pair of one policy alone has an L1 distance of 1, not of 2, and moves whole.
        both = np.isin(code, _codes(groups, table)) & np.isin(code, _codes(groups, before))
        return np.asarray(np.bincount(place, np.abs(apart), len(code)) * np.where(both, 0.5, 1.0), dtype=np.float64)

    at = begins_at(parsed)
    slot_new, slot_old = clock_new.slot_at(at), clock_old.slot_at(at)
    old_now = before.weights_now(slot_old) if at < dynamic_ends_at(active) else before.weights(slot_old)
    now = moved(table.weights_now(slot_new), old_now)
    # Slots in which neither changes are alike: each different couple is measured once.
    grid = parsed.grid()
    rows_new, rows_old = table.changes(), before.changes()
    couples: dict[tuple[int, int], list[int]] = {}
    for slot in range(grid.count):
        other = clock_old.slot_at(grid.at(slot))
        key = int(np.searchsorted(rows_new, slot, "right")), int(np.searchsorted(rows_old, other, "right"))
        couple = couples.setdefault(key, [slot, other, 0])
        couple[2] += 1
    planned = np.zeros(len(code))
    alike = np.array_equal(*ids)
    for slot, other, count in couples.values():
        new, old = table.weights(slot), before.weights(other)
        # The usual case: only the dynamic layer is another one.
        if not (alike and np.array_equal(new, old)):
            planned += moved(new, old) * count / grid.count
    return Change(groups, code, now, planned)


def check_change(table: PolicyTable, parsed: Parsed, active: Parsed, setting: CheckSetting) -> Iterator[Finding]:
    """Tell what changes by more than the limits; what must not be lost is told whatever they are."""
    lost = sorted(set(active.platform.endpoints) - set(parsed.platform.endpoints))
    if lost:
        said = f"{len(lost)} endpoints of the active policy are gone: {', '.join(lost[:5])}"
        yield Finding(Rule.CHANGE, Severity.REFUSE, "endpoints", said, float(len(lost)), 0.0)
    yield from _held_longer(parsed, active, setting)
    if active.platform.groups != parsed.platform.groups:
        said = "are not those of the active policy: all weight counts as moved"
        yield Finding(Rule.CHANGE, Severity.REFUSE, "groups", said, 1.0, setting.moved_share_max)
        return
    change = change_of(table, parsed, active)
    limit = setting.moved_share_max
    for place, moved in (("weight, as it takes over", change.now), ("weight, over the plan's slots", change.planned)):
        total = float(moved.mean()) if len(moved) else 0.0
        if total > limit:
            worst = np.argsort(-moved, kind="stable")[: int((moved > limit).sum())]
            names = tuple(_names(table, change, int(row)) for row in worst)
            yield Finding(Rule.CHANGE, Severity.REFUSE, place, "moves by more than the limit", total, limit, names)
    yield from _guarded(table, parsed, active, change)


def _guarded(table: PolicyTable, parsed: Parsed, active: Parsed, change: Change) -> Iterator[Finding]:
    """Tell groups whose front-ends would refuse the policy by its own guards."""
    guards = parsed.guards
    source = change.code // change.groups
    pairs = np.bincount(source, minlength=change.groups)
    moved = np.bincount(source, change.now, change.groups) / np.maximum(pairs, 1)
    had, kept = np.zeros((2, change.groups), dtype=np.int64)
    targets = [
        {group: {one.target for one in of.routes[group].targets} for group in of.routes} for of in (active, parsed)
    ]
    for group in range(change.groups):
        old, new = (of.get(group, set()) for of in targets)
        had[group], kept[group] = len(old), len(old & new)
    share = kept / np.maximum(had, 1)
    for group in np.flatnonzero(moved > guards.moved_share_max).tolist():
        said = "moves by more than the policy's guard, and its front-ends would refuse it"
        place = f"weight of {table.names[group]}"
        yield Finding(Rule.CHANGE, Severity.REFUSE, place, said, float(moved[group]), guards.moved_share_max)
    for group in np.flatnonzero((had > 0) & (share < guards.reachable_share_min)).tolist():
        said = "keeps fewer of its targets than the policy's guard asks for, and its front-ends would refuse it"
        place = f"targets of {table.names[group]}"
        yield Finding(Rule.CHANGE, Severity.REFUSE, place, said, float(share[group]), guards.reachable_share_min)


def _held_longer(parsed: Parsed, active: Parsed, setting: CheckSetting) -> Iterator[Finding]:
    before, after = longest_holds(active), longest_holds(parsed)
    for place, hold_ns in after.items():
        grown = hold_ns - before.get(place, 0)
        if grown > setting.hold_growth_ns_max:
            limit = setting.hold_growth_ns_max / SECOND_NS
            yield Finding(
                Rule.CHANGE, Severity.REFUSE, place, "holds longer by so many seconds", grown / SECOND_NS, limit
            )


def _identified(
    groups: int, new: PolicyTable, old: PolicyTable
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]:
    """Number the ways of both, equal ones alike; returns the numbers, and the code of each number's pair."""
    if _same_ways(new, old):
        own = np.arange(new.way_count, dtype=np.int64)
        return (own, own), _codes(groups, new)[new.pair]
    known: dict[tuple[int, int, int, bytes], int] = {}
    width = new.station.itemsize
    numbers = []
    for table in (new, old):
        flat, bounds = table.station.tobytes(), (table.way_start * width).tolist()
        codes = _codes(groups, table)[table.pair].tolist()
        rows = zip(codes, table.first.tolist(), table.last.tolist(), bounds, bounds[1:], strict=False)
        numbers.append(
            np.array(
                [known.setdefault((code, a, b, flat[at:to]), len(known)) for code, a, b, at, to in rows],
                dtype=np.int64,
            )
        )
    return (numbers[0], numbers[1]), np.array([key[0] for key in known], dtype=np.int64)


def _same_ways(new: PolicyTable, old: PolicyTable) -> bool:
    columns = ("source", "target", "pair_start", "first", "last", "way_start", "station")
    return all(np.array_equal(getattr(new, name), getattr(old, name)) for name in columns)


def _codes(groups: int, table: PolicyTable) -> NDArray[np.int64]:
    return table.source * groups + table.target


def _names(table: PolicyTable, change: Change, row: int) -> tuple[str, str]:
    source, target = divmod(int(change.code[row]), change.groups)
    return table.names[source], table.names[target]
