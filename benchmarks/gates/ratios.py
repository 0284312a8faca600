"""Gate: least times of the numba kernels over those of a reference kernel, in turns within one process."""

# ruff: noqa: ARG002 - a gate's methods take what any gate may need
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.gates import toolchain
from benchmarks.gates.children import KEPT_HEAP, told, work
from benchmarks.gates.gate import Figures
from benchmarks.gates.verdict import Rule

# Seconds for each kernel. What is above its limit is looked at for longer, and later: a neighbour that takes half a
# core away does so for seconds.
SPAN_S = (0.4, 1.5, 4.0)


@dataclass(frozen=True)
class Ratios:
    """Each kernel's time in units of the reference kernel's."""

    name: str = "ratios"
    attempts: int = len(SPAN_S)
    absent: float | None = None

    def toolchain(self) -> str:
        """Processor, numba and interpreter."""
        return f"{toolchain.processor()}, {toolchain.versions(('numba', 'llvmlite'))}, {toolchain.python()}"

    def rule(self, figure: str) -> Rule:
        """A tenth, and for the shortest calls what a call itself varies by."""
        return Rule(0.10, slack=0.005)

    def sources(self, figure: str) -> tuple[str, ...]:
        """The kernel's own file: a kernel calls nothing from another one."""
        return (figure.rsplit(".", 1)[0].replace(".", "/") + ".py",)

    def measure(self, tree: Path, only: frozenset[str] | None = None, attempt: int = 1) -> Figures:
        """Compile or load the kernels, and time them."""
        span = SPAN_S[min(attempt, len(SPAN_S)) - 1]
        found: Figures = told([*work("kernel_work.py"), str(span), *sorted(only or ())], tree, **KEPT_HEAP)
        return found
