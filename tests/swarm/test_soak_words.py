"""Command lines of the soaks: what they cannot mean is refused in one line, before anything is lived."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

WRONG = [
    ("helpers/swarm/run.py --worlds 0", "--worlds: must be a whole number of at least 1, got '0'"),
    ("helpers/swarm/run.py --seed -1", "--seed: must be a whole number of at least 0, got '-1'"),
    ("helpers/swarm/run.py --kinds line-cut,fire", "--kinds: no kind of trouble has the name 'fire'; there are"),
    ("helpers/swarm/run.py --only 1,b", "--only: must be a whole number of at least 0, got 'b'"),
    ("helpers/swarm/run.py --kinds none --only 0", "--only: must be below the number of this world's troubles, 0; got"),
    ("helpers/swarm/plant.py --bug ant", "--bug: invalid choice: 'ant'"),
    ("helpers/soak_bundles.py --bundles many", "--bundles: must be a whole number of at least 1, got 'many'"),
    ("helpers/soak_centres.py --lost shanghai", "--lost: must be one or two of province,"),
    ("helpers/soak_centres.py --from 1540", "--from: must be below 1540, got 1540"),
    ("fuzz/soak.py --targets trace,poem", "--targets: no target has the name 'poem'; there are"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_wrong_words_are_refused_in_one_line(words: str, said: str) -> None:
    script, *more = words.split()
    done = subprocess.run(
        [sys.executable, str(TESTS / script), *more], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert done.stdout == ""
