"""`replay --watch`: the day as it goes, brain by brain; a live view in a terminal, a line an hour elsewhere."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from exchange_router import console
from router_core.units import HOUR_NS
from sim.decision_texts import REASON_WORDS, kind_words
from sim.moment import Moment
from strategies.decision import Decision, DecisionKind

LOG_LINES: Final = 12
SUBJECTS: Final = 3
# They come all day and say little of the day.
ROUTINE: Final = (DecisionKind.PARTICLES_SENT,)
PER_SECOND: Final = 4

Hear = Callable[[str, Moment], None]


class Watch:
    """What is known of each brain's day.

    Parameters
    ----------
    brains : sequence of str
    start : datetime
        Local time of instant 0.
    """

    def __init__(self, brains: Sequence[str], start: datetime) -> None:
        self._start = start
        self._moments: dict[str, Moment | None] = dict.fromkeys(brains)
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._hours = dict.fromkeys(brains, -1)
        self._pending: dict[str, list[str]] = {brain: [] for brain in brains}

    def hear(self, brain: str, moment: Moment) -> list[str]:
        """Take in a moment, and return the lines that are due where no live view can be drawn."""
        self._moments[brain] = moment
        told = [self._decision(brain, one) for one in moment.decisions if one.kind not in ROUTINE]
        self._log.extend(told)
        self._pending[brain] += told
        hour = moment.now_ns // HOUR_NS
        if hour == self._hours[brain]:
            return []
        self._hours[brain] = hour
        due, self._pending[brain] = [*self._pending[brain], self._line(brain, moment)], []
        return due

    def rest(self) -> list[str]:
        """Return what was decided since the last lines."""
        rest = [line for pending in self._pending.values() for line in pending]
        self._pending = {brain: [] for brain in self._pending}
        return rest

    def view(self) -> RenderableType:
        """Return the live view: a row a brain, and below it what the brains decided last."""
        text = console.text
        table = console.table(
            "",
            text("brain", "策略"),
            text("time", "时间"),
            text("submitted", "提交"),
            text("delivered", "送达"),
            text("in flight", "在途"),
            text("held", "延后"),
            text("down", "停用"),
            text("busiest stations", "最忙服务站"),
        )
        for brain, moment in self._moments.items():
            if moment is None:
                table.add_row(brain, *["-"] * 7)
                continue
            counts = (moment.submitted, moment.delivered, moment.in_flight, moment.withheld, moment.down)
            table.add_row(brain, self._clock(moment.now_ns), *(f"{count:,}" for count in counts), _busiest(moment))
        return Group(table, Text("\n".join(self._log)))

    def _clock(self, now_ns: int) -> str:
        return (self._start + timedelta(microseconds=now_ns // 1_000)).strftime("%m-%d %H:%M")

    def _line(self, brain: str, moment: Moment) -> str:
        figures = console.text(
            f"{moment.submitted:,} submitted, {moment.delivered:,} delivered in the slot; "
            f"{moment.in_flight:,} in flight, {moment.withheld:,} held, {moment.down} down; "
            f"busiest: {_busiest(moment)}",
            f"本时段提交 {moment.submitted:,}，送达 {moment.delivered:,}；"
            f"在途 {moment.in_flight:,}，延后 {moment.withheld:,}，停用 {moment.down}；最忙：{_busiest(moment)}",
        )
        return f"{self._clock(moment.now_ns)} {brain}: {figures}"

    def _decision(self, brain: str, decision: Decision) -> str:
        what, why = kind_words(decision.kind, decision.reason), REASON_WORDS[decision.reason]
        whom = ", ".join(decision.subject[:SUBJECTS]) + (", ..." if len(decision.subject) > SUBJECTS else "")
        said = console.text(f"{what.en}: {why.en}", f"{what.zh}：{why.zh}")
        return f"{self._clock(decision.now_ns)} {brain}: {said}" + (f" ({whom})" if whom else "")


def _busiest(moment: Moment) -> str:
    return "  ".join(f"{name} {share:.0%}" for name, share in moment.busiest[:SUBJECTS]) or "-"


@contextmanager
def watching(brains: Sequence[str], start: datetime) -> Iterator[Hear]:
    """Show the day on stderr while the block runs; what is yielded takes a brain's name and its moment."""
    watch = Watch(brains, start)
    if not sys.stderr.isatty():

        def say(brain: str, moment: Moment) -> None:
            for line in watch.hear(brain, moment):
                console.say(line)

        yield say
        for line in watch.rest():
            console.say(line)
        return
    paper = Console(stderr=True, markup=False, emoji=False)  # names are text and no markup
    with Live(watch.view(), console=paper, refresh_per_second=PER_SECOND, transient=True) as live:

        def show(brain: str, moment: Moment) -> None:
            watch.hear(brain, moment)
            live.update(watch.view())

        yield show
