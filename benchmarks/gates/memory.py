"""Gate: peak memory of fixed jobs, each in a process of its own."""

# ruff: noqa: ARG002 - a gate's methods take what any gate may need
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.gates import toolchain
from benchmarks.gates.children import ROOT, told, work
from benchmarks.gates.gate import Figures
from benchmarks.gates.verdict import Rule

MB = 1_000_000
JOBS = ("start", "scenario", "replay", "history", "bundle")
# The first use compiles kernels, which takes more memory than any job: the least of these counts.
RUNS = 2
PACKAGES = ("numpy", "scipy", "numba", "pyarrow", "pydantic", "typer")
PRODUCT = ("setup.py", "router_core", "scenarios", "traces", "strategies", "sim", "feed", "exchange_router")


@dataclass(frozen=True)
class Memory:
    """Peak resident memory of each job, in bytes."""

    name: str = "memory"
    attempts: int = 3
    absent: float | None = None

    def toolchain(self) -> str:
        """Interpreter, and versions of what takes the most memory."""
        return f"{toolchain.python()}, {toolchain.versions(PACKAGES)}"

    def rule(self, figure: str) -> Rule:
        """Five per cent, and two megabytes: where libraries happen to lie in pages."""
        return Rule(0.05, slack=2 * MB, unit=" bytes")

    def sources(self, figure: str) -> tuple[str, ...]:
        """All of the product."""
        return PRODUCT

    def measure(self, tree: Path, only: frozenset[str] | None = None, attempt: int = 1) -> Figures:
        """Make the inputs with the product as it is here, and run each job of the tree on them."""
        jobs = [job for job in JOBS if only is None or job in only]
        with TemporaryDirectory(prefix="gate-memory-") as folder:
            told([*work("memory_work.py"), "make", folder], ROOT)
            return {
                job: min(float(told([*work("memory_work.py"), job, folder], tree)) for _ in range(RUNS)) for job in jobs
            }
