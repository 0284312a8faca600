"""The plain driver: inputs drawn from a seed, from the corpus and the seeds of a target; the same ones every time."""

from __future__ import annotations

import hashlib
import shlex
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzzing.guard import Finding, attempt, forget_peak, watchdog
from fuzzing.paths import BUILD, CORPUS, CRASHES, ROOT
from fuzzing.target import Target

# What is compiled or learnt at a first call is not the input's to pay for.
WARM_UP_S = 120.0


@dataclass
class Driven:
    """What a target did with its inputs.

    Attributes
    ----------
    inputs, taken : int
        Given to the parser, and not refused by it.
    findings : list of Finding
        One of each place.
    """

    inputs: int = 0
    taken: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, taken: bool, finding: Finding | None) -> None:
        """Count an input."""
        self.inputs += 1
        self.taken += taken
        if finding is not None and finding.place not in {one.place for one in self.findings}:
            self.findings.append(finding)


def kept(folder: Path, target: str) -> list[tuple[str, bytes]]:
    """Return the files of a target in a folder of corpora, by name."""
    return [(path.name, path.read_bytes()) for path in sorted((folder / target).glob("*")) if path.is_file()]


def material(target: Target) -> list[bytes]:
    """Return what inputs are made from: the seeds, then the corpus."""
    return [*target.seeds(), *(data for _, data in kept(CORPUS, target.name))]


@contextmanager
def quiet() -> Iterator[None]:
    """Within this block numbers may overflow in arrays without a word: that is what the inputs are for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def watched(*targets: Target) -> Iterator[None]:
    """Within this block what hangs or takes all memory is told; what the targets pay once is paid before."""
    with quiet(), watchdog():
        for target in targets:
            for data in target.seeds():
                attempt(target, data, WARM_UP_S)
        forget_peak()
        yield


def known_inputs(target: Target) -> Driven:
    """Give a target its seeds, its corpus and all that ever broke it."""
    driven = Driven()
    with watched(target):
        for data in target.seeds():
            driven.add(*attempt(target, data))
        for folder in (CORPUS, CRASHES):
            for _, data in kept(folder, target.name):
                driven.add(*attempt(target, data))
    return driven


def drive(target: Target, inputs: int, seed: int, parts: Sequence[bytes] | None = None) -> Driven:
    """Give a target so many changed inputs; input k of a seed is always the same one."""
    driven = Driven()
    parts = material(target) if parts is None else parts
    with watched(target):
        for number in range(inputs):
            driven.add(*attempt(target, drawn(target, parts, seed, number)))
    return driven


def drawn(target: Target, parts: Sequence[bytes], seed: int, number: int) -> bytes:
    """Return input `number` of a seed."""
    random = Random((seed << 40) + number)
    return target.mutate(parts[random.randrange(len(parts))], random, parts)[: target.bytes_max]


def saved(finding: Finding, folder: Path | None = None) -> Path:
    """Write what was found under its digest, and return where it is."""
    place = (folder or BUILD / "found") / finding.target
    place.mkdir(parents=True, exist_ok=True)
    path = place / hashlib.sha256(finding.data).hexdigest()[:16]
    path.write_bytes(finding.data)
    return path


def told(finding: Finding, folder: Path | None = None) -> str:
    """Save a finding and tell it on one screen, with the command that replays it."""
    path = saved(finding, folder)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    command = f".venv/bin/python tests/fuzz/run.py {finding.target} {shlex.quote(str(shown))}"
    return f"{finding.kind} of {finding.target}: {finding.place}\n{finding.text[-1_500:]}\nreplay: {command}"
