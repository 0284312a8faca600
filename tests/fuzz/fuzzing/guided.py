"""A worker of the soak: one target for some seconds, guided by coverage where atheris is there, else by the draw."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, Final

from fuzzing.driving import Driven, drawn, material, told, watched
from fuzzing.guard import attempt, forget_peak
from fuzzing.paths import BUILD
from fuzzing.shared import BYTES_MAX, Page
from fuzzing.table import NAMES, ROOMS, target_of
from fuzzing.target import Target

MEMORY_BYTES: Final = 2 << 30


def has_guide() -> bool:
    """Whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


class _Instrumented(MetaPathFinder):
    """Loads some modules with counters at their branches; atheris's own takes whole packages, kernels and all."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefixes)

    def find_spec(
        self, name: str, path: Any, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not any(name == one or name.startswith(f"{one}.") for one in self._prefixes) or "kernel" in name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not importlib.machinery.SourceFileLoader:
            return None
        from atheris.import_hook import AtherisSourceFileLoader  # noqa: PLC0415 - only where atheris is there

        spec.loader = AtherisSourceFileLoader(spec.loader.name, spec.loader.path, False)
        return spec


def work(name: str, seconds: float, seed: int, page: Page, *, guide: bool) -> None:
    """Fuzz a target until its time is over; what is found is written as it is found, and the worker goes on."""
    if guide:
        sys.meta_path.insert(0, _Instrumented(ROOMS[NAMES[name]]))
    target = target_of(name)
    driven = Driven()
    parts = material(target)
    with watched(target):
        _bound_memory()
        run = _Run(target, driven, page, time.monotonic() + seconds)
        if guide:
            _guided(run, parts, seed, seconds)
        else:
            number = 0
            while not run.over():
                run.one(drawn(target, parts, seed, number))
                number += 1


class _Run:
    """Counts inputs on the page, and tells findings as they come."""

    def __init__(self, target: Target, driven: Driven, page: Page, until_s: float) -> None:
        self.target, self.driven, self._page, self._until_s = target, driven, page, until_s

    def over(self) -> bool:
        return time.monotonic() >= self._until_s

    def one(self, data: bytes) -> None:
        data = data[: min(self.target.bytes_max, BYTES_MAX)]
        driven = self.driven
        self._page.begin(driven.inputs, driven.taken, len(driven.findings), data)
        before = len(driven.findings)
        driven.add(*attempt(self.target, data))
        if len(driven.findings) > before:
            print(told(driven.findings[-1]), flush=True)
            forget_peak()
        self._page.begin(driven.inputs, driven.taken, len(driven.findings), data)


def _guided(run: _Run, parts: Sequence[bytes], seed: int, seconds: float) -> None:
    import atheris  # noqa: PLC0415 - only where it is there

    target = run.target
    corpus = BUILD / "corpus" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = BUILD / "seeds" / target.name
    seeds.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(parts):
        (seeds / f"{number:04d}").write_bytes(data[: target.bytes_max])

    def mutate(data: bytes, size_max: int, of: int) -> bytes:
        random = Random(of)
        chance = random.random()
        if chance < 0.2:
            return bytes(atheris.Mutate(data, size_max))
        if chance < 0.4:  # what guidance collects is mostly refused; what is sound is to be tried as well
            data = random.choice(parts)
        try:
            return target.mutate(data, random, parts)[:size_max]
        except BaseException:  # what escapes from here would leave the process standing, neither dead nor alive
            traceback.print_exc()
            os._exit(70)

    longest = max(4 * max(map(len, parts)), 4 << 10)
    options = [
        f"-max_len={min(target.bytes_max, longest)}",
        f"-seed={seed % 2**31 or 1}",
        f"-max_total_time={max(1, round(seconds))}",
    ]
    options += ["-rss_limit_mb=0", "-timeout=3600", "-verbosity=0", "-print_final_stats=0", "-len_control=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus), str(seeds)], run.one, custom_mutator=mutate)
    atheris.Fuzz()


def _bound_memory() -> None:
    """Let an input that asks for gigabytes fail at once, here and not in the whole machine."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
