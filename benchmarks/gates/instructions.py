"""Gate: instructions of the Cython extensions, which a busy machine does not change."""

# ruff: noqa: ARG002 - a gate's methods take what any gate may need
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.gates import toolchain
from benchmarks.gates.callgrind import counted
from benchmarks.gates.children import HERE, ROOT
from benchmarks.gates.gate import Figures, SkippedError
from benchmarks.gates.verdict import Rule

FOLDER = ROOT / "build" / "gates" / "callgrind"
# Extensions by the first word of the work that is done in them; `spread` is also part of the others, inline.
EXTENSIONS = {
    "spread": "router_core/spread",
    "engine": "router_core/engine/core",
    "table": "router_core/table/route_table",
}
ROOMS: dict[str, tuple[str, ...]] = {
    "spread": (),
    "engine": ("router_core/engine",),
    "table": ("router_core/table",),
}


@dataclass(frozen=True)
class Instructions:
    """Each piece of `compiled_work.py`, counted inside its extension."""

    name: str = "instructions"
    attempts: int = 1
    absent: float | None = None

    def toolchain(self) -> str:
        """Compiler and Cython as the engine was built with, and the interpreter."""
        return f"{toolchain.python()}, {toolchain.compiled_with(extension(ROOT, EXTENSIONS['engine']))}"

    def rule(self, figure: str) -> Rule:
        """One per cent."""
        return Rule(0.01, unit=" instructions")

    def sources(self, figure: str) -> tuple[str, ...]:
        """The build, the extension's room, and what all of them inline."""
        return ("setup.py", "router_core/spread.*", *ROOMS[figure.split(".", maxsplit=1)[0]])

    def measure(self, tree: Path, only: frozenset[str] | None = None, attempt: int = 1) -> Figures:
        """Count them all in one process."""
        costs = counted(HERE / "compiled_work.py", tree, FOLDER)
        paths = {kind: str(extension(tree, place)) for kind, place in EXTENSIONS.items()}
        found = {name: float(cost[paths[name.split(".")[0]]]) for name, cost in costs.items()}
        if missing := [name for name, cost in found.items() if not cost]:
            raise SkippedError(f"callgrind saw nothing of {', '.join(missing)} in its extension")
        return found


def extension(tree: Path, place: str) -> Path:
    """Return the shared object of an extension in a tree."""
    found = sorted(tree.glob(f"{place}.*.so"))
    if not found:
        raise SkippedError(f"{place} is not built")
    return found[0]
