"""Instructions by piece of work and by object file, as valgrind's callgrind counts them.

Only what runs inside an extension's own shared object counts: Python, numpy and the C library beside it may come in any
version. What is called from there into other objects is theirs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.gates.children import environment
from benchmarks.gates.gate import SkippedError

TRIGGER = "desc: Trigger: Client Request: "
# Where a piece of work begins and ends, for valgrind: outside it these do nothing.
MARKS = """
#include <valgrind/callgrind.h>
void gate_begin(void) { CALLGRIND_START_INSTRUMENTATION; }
void gate_end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""
COST = re.compile(r"^[+\-*\dx]\S* (\d+)$")


def self_costs(lines: Iterable[str]) -> Counter[str]:
    """Return the cost inside each object file of one dump, written without compression.

    A line after ``calls=`` is what the call cost, inclusive: it is that of others.
    """
    found: Counter[str] = Counter()
    inside, of_call = "", False
    for line in lines:
        if line.startswith("ob="):
            inside = line[3:].strip()
        elif line.startswith("calls="):
            of_call = True
        elif match := COST.match(line.strip()):
            if not of_call:
                found[inside] += int(match.group(1))
            of_call = False
    return found


def work_of(lines: Iterable[str]) -> str | None:
    """Return the name of the piece of work that a dump is of, None if no mark made it."""
    for line in lines:
        if line.startswith(TRIGGER):
            return line[len(TRIGGER) :].strip()
        if line.startswith("events:"):
            return None
    return None


def counted(script: Path, tree: Path, folder: Path) -> dict[str, Counter[str]]:
    """Run a script of marked work in a tree under callgrind; return the costs of each piece, by object file.

    Raises
    ------
    SkippedError
        If valgrind, its headers or a compiler are not there.
    """
    if shutil.which("valgrind") is None:
        raise SkippedError("valgrind is not installed")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [
        "valgrind", "--tool=callgrind", "--instr-atstart=no", "--compress-strings=no", "--compress-pos=no",
        f"--callgrind-out-file={folder / 'dump'}", sys.executable, "-P", script, marks(folder),
    ]  # fmt: skip
    # What is counted must not depend on where the heap lies, nor on which of glibc's variants a processor gets.
    done = subprocess.run(
        list(map(str, command)), cwd=tree, env=environment(tree), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SkippedError(f"callgrind ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    found: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("dump*")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if (name := work_of(lines)) is not None:
            found[name] = self_costs(lines)
    return found


def marks(folder: Path) -> Path:
    """Compile what tells valgrind where work begins and ends."""
    source, library = folder / "marks.c", folder / "marks.so"
    source.write_text(MARKS, encoding="utf-8")
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except OSError as error:
        raise SkippedError(f"no compiler: {error}") from None
    except subprocess.CalledProcessError as error:
        raise SkippedError(f"valgrind's headers are not installed: {error.stderr.strip()[-200:]}") from None
    return library
