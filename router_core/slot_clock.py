"""Which slot of a planned grid holds at a local time, within the grid and beyond it."""

from __future__ import annotations

from datetime import datetime, timedelta

from router_core.calendar import day_of
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid


class SlotClock:
    """The slots of a plan by the clock.

    Parameters
    ----------
    grid : TimeGrid
        With at least one slot.

    Raises
    ------
    BadInputError
        If the grid has no slot.
    """

    def __init__(self, grid: TimeGrid) -> None:
        if grid.count == 0:
            raise BadInputError("plan.grid", "must have a slot", 0)
        self._grid = grid
        # Last slot of each (working day, weekday, step of the day).
        self._known: dict[tuple[bool, int, int], int] = {}
        # Of those asked for beyond the grid the slot that is most like it.
        self._most_like: dict[tuple[bool, int, int], int] = {}
        steps = grid.step_of_day()
        for slot in range(grid.count):
            when = grid.at(slot)
            self._known[day_of(when.date()).working, when.weekday(), int(steps[slot])] = slot

    def slot_at(self, when: datetime) -> int:
        """Slot that holds at a local time.

        Outside the grid it is the planned slot that is most like it: the same time of a day of the same kind and
        weekday, of the same kind, of any kind; the last one planned if there are several.
        """
        grid = self._grid
        slot = grid.step_of(when)
        if 0 <= slot < grid.count:
            return slot
        day = when.replace(hour=0, minute=0, second=0, microsecond=0)
        step = int((when - day) // timedelta(microseconds=grid.step_ns // 1_000))
        working, weekday = day_of(when.date()).working, when.weekday()
        asked = working, weekday, step
        if asked not in self._most_like:
            self._most_like[asked] = self._find(*asked)
        return self._most_like[asked]

    def _find(self, working: bool, weekday: int, step: int) -> int:
        steps_per_day, known = self._grid.steps_per_day, self._known

        def likeness(key: tuple[bool, int, int]) -> tuple[int, bool, bool, int]:
            apart = abs(key[2] - step)
            return (-min(apart, steps_per_day - apart), key[0] == working, key[1] == weekday, known[key])

        return known[max(known, key=likeness)]
