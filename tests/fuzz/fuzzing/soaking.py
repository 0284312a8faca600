"""The soak: every target in turn, on every core, each for the same time; what dies or hangs is told with its input."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from fuzzing.driving import told
from fuzzing.guard import Finding
from fuzzing.paths import BUILD, HERE, ROOT
from fuzzing.shared import Page
from fuzzing.table import NAMES

# An input that holds its worker so long holds it in code that no signal reaches.
STUCK_S: Final = 20.0
START_S: Final = 180.0
SLICES_S: Final = (5.0, 10.0, 20.0, 60.0, 180.0, 600.0)


@dataclass
class Sum:
    """What became of a target's inputs."""

    inputs: int = 0
    taken: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    places: set[str] = field(default_factory=set)


@dataclass
class _Worker:
    name: str
    process: subprocess.Popen[str]
    page: Page
    folder: Path
    began_s: float
    log: Path


class Soak:
    """Runs workers until so many inputs were given, or until the time is over.

    Parameters
    ----------
    inputs : int
    seed : int
    names : sequence of str
        Targets.
    guide : bool
        Whether coverage guides them.
    processes : int
    say : callable
        Takes lines for people.
    """

    def __init__(
        self,
        inputs: int,
        seed: int,
        names: Sequence[str] = tuple(NAMES),
        *,
        guide: bool,
        processes: int = os.cpu_count() or 1,
        say: Callable[[str], None] = print,
    ) -> None:
        self._inputs, self._seed, self._names = inputs, seed, tuple(names)
        self._guide, self._processes, self._say = guide, processes, say
        self.sums = {name: Sum() for name in names}
        self._slice = 0
        BUILD.mkdir(parents=True, exist_ok=True)
        self._pages = Path(mkdtemp(prefix="soak-", dir=BUILD))

    @property
    def given(self) -> int:
        """Inputs given in all."""
        return sum(one.inputs for one in self.sums.values())

    @property
    def found(self) -> int:
        """What was found."""
        return sum(sum(one.kinds.values()) for one in self.sums.values())

    def run(self) -> None:
        """Run; nothing that a worker does ends it."""
        turns = self._turns()
        workers: list[_Worker] = []
        try:
            while True:
                enough = self.given + sum(one.page.inputs for one in workers) >= self._inputs
                while not enough and len(workers) < self._processes:
                    workers.append(self._start(*next(turns)))
                time.sleep(0.2)
                for worker in list(workers):
                    if enough or self._ended(worker):
                        workers.remove(worker)
                        self._gather(worker, stopped=enough)
                if enough and not workers:
                    return
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.wait()
            shutil.rmtree(self._pages, ignore_errors=True)

    def _turns(self) -> Iterator[tuple[str, float]]:
        """Every target for the same time; longer slices as the soak goes on, as each start costs seconds."""
        turn = 0
        while True:
            for name in self._names:
                yield name, SLICES_S[min(turn, len(SLICES_S) - 1)]
            turn += 1

    def _start(self, name: str, seconds: float) -> _Worker:
        self._slice += 1
        folder = self._pages / f"{self._slice}"
        folder.mkdir()
        page, log = Page(folder / "page"), folder / "log"
        arguments = [
            name,
            str(seconds),
            str((self._seed << 20) + self._slice),
            str(folder / "page"),
            str(int(self._guide)),
        ]
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "soak.py"), "--worker", *arguments],
                stdout=out,
                stderr=out,
                text=True,
                cwd=ROOT,
            )
        return _Worker(name, process, page, folder, time.monotonic(), log)

    def _ended(self, worker: _Worker) -> bool:
        """Whether a worker is done, dead, or stuck."""
        if worker.process.poll() is not None:
            return True
        began_s = worker.page.began_s
        since_s = time.monotonic() - (began_s or worker.began_s)
        return since_s > (STUCK_S if began_s else START_S)

    def _gather(self, worker: _Worker, *, stopped: bool) -> None:
        stuck = worker.process.poll() is None and not stopped
        if worker.process.poll() is None:
            worker.process.kill()
        code = worker.process.wait()
        one, page, log = self.sums[worker.name], worker.page, worker.log.read_text(errors="replace")
        one.inputs, one.taken = one.inputs + page.inputs, one.taken + page.taken
        one.seconds += time.monotonic() - worker.began_s
        self._tell_found(worker, one, log)
        if not stopped:
            self._say(f"{worker.name}: {page.inputs:,} inputs, {self.given:,} in all")
        if stuck or (code and not stopped):
            kind = "hang" if stuck else "crash"
            what = "no signal reached it" if stuck else f"the process ended with {_ending(code)}"
            text = f"{what}\n{log[-1_500:]}"
            if page.began_s:
                self._say(told(Finding(worker.name, kind, what, text, page.data)))
            else:
                self._say(f"{worker.name} did not begin: {text}")
            one.kinds[kind] += 1
        shutil.rmtree(worker.folder, ignore_errors=True)

    def _tell_found(self, worker: _Worker, one: Sum, log: str) -> None:
        """Tell what a worker told, each place once."""
        for kind in ("crash", "hang", "memory"):
            mark = f"{kind} of {worker.name}: "
            for part in ("\n" + log).split("\n" + mark)[1:]:
                place = part.split("\n", 1)[0]
                if place not in one.places:
                    one.places.add(place)
                    one.kinds[kind] += 1
                    text, _, command = part.partition("\nreplay: ")
                    first = command.split("\n", 1)[0]
                    self._say(f"{mark}{text}\nreplay: {first}")


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def table(sums: dict[str, Sum]) -> str:
    """Tell the sums, a line a target."""
    head = f"{'target':16} {'inputs':>12} {'per second':>10} {'taken':>6} {'crashes':>7} {'hangs':>5} {'memory':>6}"
    rows = [
        f"{name:16} {one.inputs:12,} {one.inputs / max(one.seconds, 1e-9):10,.0f} "
        f"{one.taken / max(one.inputs, 1):6.1%} "
        f"{one.kinds['crash']:7} {one.kinds['hang']:5} {one.kinds['memory']:6}"
        for name, one in sums.items()
    ]
    return "\n".join([head, *rows])
