"""Gates: what the command line loads, and how long it takes to start, in units of ``import numpy``."""

# ruff: noqa: ARG002 - a gate's methods take what any gate may need
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.gates import toolchain
from benchmarks.gates.children import WorkFailedError, environment, told
from benchmarks.gates.gate import Figures
from benchmarks.gates.memory import PACKAGES, PRODUCT
from benchmarks.gates.verdict import Rule

ROUNDS = (25, 40, 60)
REFERENCE = "import numpy"
HELP = "import sys; from exchange_router.main import status; sys.exit(status(['--help']))"
STARTS = {
    "import router_core": "import router_core",
    "import router_core.table": "import router_core.table",
    "import exchange_router.main": "import exchange_router.main",
    "--help": HELP,
}
# What takes long to load, or much memory.
HEAVY = (
    "numpy", "scipy", "numba", "llvmlite", "highspy", "sklearn", "pyarrow", "pydantic", "simpy", "fastapi", "uvicorn",
    "httpx", "cryptography", "gmssl_pyx", "joblib", "optuna", "chinese_calendar", "prometheus_client", "pandas",
    "polars",
)  # fmt: skip
COMMANDS = (
    "--help",
    "--version",
    "scenario --help",
    "policy --help",
    "policy verify --help",
    "serve --help",
    "agent --help",
)
MODULES = ("router_core", "router_core.engine", "router_core.table", "strategies.brain", "feed.agent")
LOADED = """
import contextlib, io, json, sys
if sys.argv[1] == "import":
    __import__(sys.argv[2])
else:
    from exchange_router.main import status
    with contextlib.redirect_stdout(io.StringIO()):
        assert status(sys.argv[2:]) == 0
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@dataclass(frozen=True)
class Imports:
    """Heavy packages that are loaded: 1 each, the same on every machine; 0 is left out."""

    name: str = "imports"
    attempts: int = 1
    absent: float | None = 0.0

    def toolchain(self) -> str:
        """Any."""
        return "any"

    def rule(self, figure: str) -> Rule:
        """None more."""
        return Rule(0.0)

    def sources(self, figure: str) -> tuple[str, ...]:
        """All of the product."""
        return PRODUCT

    def measure(self, tree: Path, only: frozenset[str] | None = None, attempt: int = 1) -> Figures:
        """Load each in a process of its own."""
        found: Figures = {}
        for what, words in [("import", [name]) for name in MODULES] + [("run", one.split()) for one in COMMANDS]:
            loaded = told([sys.executable, "-P", "-c", LOADED, what, *words], tree)
            asked = f"import {words[0]}" if what == "import" else " ".join(words)
            found |= {f"{asked}: {name}": 1.0 for name in HEAVY if name in loaded}
        return found


@dataclass(frozen=True)
class Starting:
    """CPU time of a start by that of a start that only imports numpy just before: the median over rounds.

    Not least by least, as of kernels: a start takes a tenth of a second, and while neighbours are busy none is
    undisturbed. Least by least varied by a fifth between runs, the median of neighbours' ratios by two per cent.
    """

    name: str = "start"
    attempts: int = len(ROUNDS)
    absent: float | None = None

    def toolchain(self) -> str:
        """Processor, interpreter and packages."""
        return f"{toolchain.processor()}, {toolchain.python()}, {toolchain.versions(PACKAGES)}"

    def rule(self, figure: str) -> Rule:
        """A tenth."""
        return Rule(0.10)

    def sources(self, figure: str) -> tuple[str, ...]:
        """All of the product."""
        return PRODUCT

    def measure(self, tree: Path, only: frozenset[str] | None = None, attempt: int = 1) -> Figures:
        """Start each in turns; what is waited for does not count, what the process computes does."""
        wanted = {name: code for name, code in STARTS.items() if only is None or name in only}
        ratios: dict[str, list[float]] = {name: [] for name in wanted}
        for number in range(1 + ROUNDS[min(attempt, len(ROUNDS)) - 1]):
            beside = cpu_s([sys.executable, "-P", "-c", REFERENCE], tree)
            for name, code in wanted.items():
                taken = cpu_s([sys.executable, "-P", "-c", code], tree)
                if number:  # the first writes bytecode, and brings files into memory
                    ratios[name].append(taken / beside)
        return {name: median(found) for name, found in ratios.items()}


def cpu_s(command: Sequence[str], tree: Path) -> float:
    """Run a process and return the CPU time that it took, its own and the system's for it [s]."""
    process = subprocess.Popen(command, cwd=tree, env=environment(tree), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise WorkFailedError(f"code {process.returncode}: {command[-1]}")
    return usage.ru_utime + usage.ru_stime
