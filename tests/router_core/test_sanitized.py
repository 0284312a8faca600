"""The sanitizers that `make test-bounds` and `make soak-sanitized` rely on find what is planted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import sanitized
import soak_planes

PLANTED = """
from libc.stdlib cimport calloc, free

def poke(int size, int place, int shift, bint late):
    cdef int *some = <int *>calloc(size, sizeof(int))
    some[place] = 2147483647
    cdef int found = some[place] >> shift
    free(some)
    return some[place] if late else found
"""
NAMES = '("router_core.spread", "router_core.engine.core", "router_core.table.route_table")'


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    """An extension of a few lines, built as the others are under sanitizers."""
    if sanitized.runtime() is None:
        pytest.skip(f"{sanitized.compiler()} has no AddressSanitizer")
    folder = tmp_path_factory.mktemp("planted")
    (folder / "planted.pyx").write_text(PLANTED)
    text = (sanitized.ROOT / "setup.py").read_text()
    assert NAMES in text
    (folder / "setup.py").write_text(text.replace(NAMES, '("planted",)'))
    sanitized.build_in(folder)
    return folder


def poked(folder: Path, *numbers: int) -> subprocess.CompletedProcess[str]:
    library = sanitized.runtime()
    assert library is not None
    words = [sys.executable, "-c", f"import planted; print(planted.poke{numbers})"]
    return subprocess.run(
        words, cwd=folder, env=sanitized.preloaded(library), capture_output=True, text=True, check=False
    )


def test_what_is_right_passes(planted):
    found = poked(planted, 4, 3, 0, 0)
    assert (found.returncode, found.stdout.strip(), found.stderr) == (0, str(2**31 - 1), "")


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        pytest.param((4, 4, 0, 0), "heap-buffer-overflow", id="behind"),
        pytest.param((4, -1, 0, 0), "heap-buffer-overflow", id="before"),
        pytest.param((4, 0, 0, 1), "heap-use-after-free", id="late"),
        pytest.param((4, 0, 40, 0), "shift exponent 40 is too large", id="too-far"),
    ],
)
def test_a_planted_fault_ends_the_process_and_is_told(planted, numbers, told):
    found = poked(planted, *numbers)
    assert found.returncode != 0
    assert told in found.stderr
    assert "planted.c" in found.stderr


def dies_at(part: soak_planes.Part):
    """What a process does that the sanitizers end: it is gone in the middle of a seed."""
    for seed in part.seeds:
        if part.notes is not None:
            (part.notes / str(os.getpid())).write_text(str(seed))
        if seed == 47:
            os._exit(1)
    return None, Counter()


def test_the_seed_that_takes_its_process_down_is_told_with_its_command(monkeypatch, capsys):
    monkeypatch.setattr(soak_planes, "check_part", dies_at)
    assert soak_planes.main(["--seed", "1", "--worlds", "100"]) == 1
    told = capsys.readouterr().out
    assert "seed 47 takes its process down" in told
    assert "replay: make soak-planes SEED=47 PLANE_WORLDS=1" in told


def test_a_script_runs_with_the_sanitized_extensions_wherever_it_stands():
    """Where they have been built; `make test-bounds` builds them."""
    if sanitized.runtime() is None or not sanitized.is_built():
        pytest.skip("the extensions are not built under sanitizers")
    script = "import router_core.engine.core as one; print(one.__file__)"
    words = [sys.executable, sanitized.__file__, "--", "-c", script]
    for folder in (sanitized.ROOT, sanitized.HELPERS):
        found = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
        assert Path(found.stdout.strip()).is_relative_to(sanitized.FOLDER)
