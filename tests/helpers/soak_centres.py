"""Lose any two of the province's 56 centres, all 1,540 pairs, and hold every run against the laws.

``python tests/helpers/soak_centres.py``, or ``make soak-centres``: exit code 0 with figures, or 1 with each law that
was broken and the command that lives that loss again. Begun again with ``--from N`` it goes on at that pair.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import soak_words
from loss_laws import Verdict, judged, told
from lost_centres import busy_moment, double_losses, quick_brain, single_losses
from soak_figures import keep_figures, per_hour, rate

from sim.studies.case import BrainChoice
from sim.studies.survival.elements import Failure
from sim.studies.survival.trial import Moment
from sim.workers import open_workers
from strategies.registry import BRAINS, PREPARED_BRAINS

A_BLOCK = 70
WORST = 10


def soak(moment: Moment, losses: Sequence[Failure], first: int, workers: str, more: str) -> list[Verdict]:
    """Live losses block by block, telling what breaks as it comes and how far it is."""
    verdicts: list[Verdict] = []
    began_s = time.monotonic()

    def on_done(_index: int, verdict: Verdict) -> None:
        if verdict.broken:
            print(told(verdict, more), flush=True)

    with open_workers(workers) as many:
        for begin in range(0, len(losses), A_BLOCK):
            block = [(moment, loss) for loss in losses[begin : begin + A_BLOCK]]
            verdicts += many.map(judged, block, on_done)
            done = rate(len(verdicts), "losses", time.monotonic() - began_s)
            print(
                f"{done}; of {len(losses):,}, the next is --from {first + len(verdicts)}", file=sys.stderr, flush=True
            )
    return verdicts


def figures_of(verdicts: Sequence[Verdict], took_s: float) -> dict[str, float]:
    """Sum verdicts up."""
    return {
        "losses": len(verdicts),
        "losses an hour": per_hour(len(verdicts), took_s),
        "exchanges": sum(one.exchanges for one in verdicts),
        "cut off": sum(one.cut for one in verdicts),
        "losses that strand": sum(one.stranded > 0 for one in verdicts),
        "stranded": sum(one.stranded for one in verdicts),
        "stranded at most": max(one.stranded for one in verdicts),
        "settled at most s": max(one.settled_s for one in verdicts),
        "as before at least": min(one.as_before for one in verdicts),
    }


def summary(verdicts: Sequence[Verdict], figures: dict[str, float]) -> str:
    """Tell figures, and the losses that strand most."""
    lines = [f"  {value:14,.6g} {name}" for name, value in figures.items()]
    stranding = sorted((one for one in verdicts if one.stranded), key=lambda one: -one.stranded)[:WORST]
    if stranding:
        lines.append("no live way in the plan though the network has one, exchanges and pairs of endpoints:")
        lines += [f"  {one.stranded:6} {one.stranded_pairs:6} {one.name}" for one in stranding]
    return "\n".join(lines)


def named(text: str) -> Failure:
    """Return the loss of one centre or of two that are joined by a plus."""
    wanted = {part.strip() for part in text.split("+")}
    for loss in (*single_losses(), *double_losses()):
        if {one.name for one in loss.elements} == wanted:
            return loss
    names = ", ".join(loss.name for loss in single_losses())
    raise SystemExit(f"--lost: must be one or two of {names}; got {text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and soak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=soak_words.a_seed, default=1, help="of the morning's exchanges and of the world")
    parser.add_argument("--from", dest="first", type=soak_words.a_seed, default=0, help="number of the first pair")
    parser.add_argument(
        "--pairs", type=soak_words.a_count, default=None, help="how many pairs (default: all from the first one on)"
    )
    parser.add_argument("--lost", default="", help="this loss alone, as in province+jiujiang")
    parser.add_argument("--brain", default="static", choices=sorted({*BRAINS, *PREPARED_BRAINS}))
    parser.add_argument(
        "--prepared", type=Path, default=None, help="a file of `brain fit` (default: learnt in a minute)"
    )
    parser.add_argument("--workers", default="2")
    asked = parser.parse_args(arguments)
    # Workers are processes of their own, which know nothing of this folder.
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    losses = (named(asked.lost),) if asked.lost else double_losses()[asked.first :][: asked.pairs]
    if not losses:
        raise SystemExit(f"--from: must be below {len(double_losses())}, got {asked.first}")
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        brain = BrainChoice.of_files(asked.brain, asked.prepared or quick_brain(folder), None)
        moment = busy_moment(folder, brain, asked.seed)
        began_s = time.monotonic()
        more = f" CENTRE_BRAIN={asked.brain} PREPARED={asked.prepared}" if asked.prepared else ""
        verdicts = soak(moment, losses, asked.first, "here" if asked.lost else asked.workers, more)
        took_s = time.monotonic() - began_s
    figures = figures_of(verdicts, took_s)
    broken = sum(bool(one.broken) for one in verdicts)
    print(f"{rate(len(verdicts), 'losses', took_s)}; {broken} of them break a law")
    print(summary(verdicts, figures))
    if not asked.lost:
        keep_figures("centres", figures)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
