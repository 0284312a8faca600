"""Work for a centre's process that does as it is told: by the number of a turn's epoch."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from feed.live.work import Done, Restore, Turn
from router_core.errors import BadInputError

KILLED, REFUSED = 13, 14


class Obedient:
    """Answers with its process number; ends itself, or finds bad input, where the epoch says so."""

    def __init__(self, note: Path) -> None:
        self._note = note
        note.write_text(str(os.getpid()))

    def turn(self, turn: Turn) -> Done:
        if turn.epoch == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)
        if turn.epoch == REFUSED:
            raise BadInputError("turn", "must be another one", turn.epoch)
        return Done((), (), None, str(os.getpid()), None, None, ())

    def restored(self, restore: Restore) -> bytes:
        return restore.packed[::-1]

    def close(self) -> None:
        self._note.write_text("closed")


def maker(note: Path):
    return partial(Obedient, note)


def unmakeable() -> Obedient:
    raise BadInputError("--prepared", "must be a brain file", "none")
