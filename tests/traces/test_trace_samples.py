from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import scenarios
from router_core.exchanges import FIELDS
from traces.matrices import read_series
from traces.reader import TraceReader
from traces.validate import validate_trace

SAMPLES = Path(__file__).parents[2] / "traces" / "samples"
NAMES = {"toy-day.parquet": "toy", "jiangxi-hour.parquet": "jiangxi"}
MATRICES = "made-matrices.npz"
BYTES_MAX = 1_000_000


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    router = Path(sys.executable).with_name("exchange-router")
    subprocess.run(["sh", str(SAMPLES / "make.sh"), str(router), str(folder)], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_in_step(remade: Path, name: str) -> None:
    """The committed file is the one that its command makes today: run make samples."""
    with TraceReader(SAMPLES / name) as committed, TraceReader(remade / name) as made:
        assert committed.info == made.info
        a, b = committed.read_all(), made.read_all()
    assert all(np.array_equal(getattr(a, column), getattr(b, column)) for column in FIELDS)
    # Another version of the Parquet library may lay the same content out differently.
    if pq.read_metadata(SAMPLES / name).created_by == pq.read_metadata(remade / name).created_by:
        assert (SAMPLES / name).read_bytes() == (remade / name).read_bytes()


def test_sample_matrices_are_in_step(remade: Path) -> None:
    committed, made = (read_series(folder / MATRICES) for folder in (SAMPLES, remade))
    assert np.array_equal(committed.demand_mbps, made.demand_mbps)
    assert (SAMPLES / MATRICES).read_bytes() == (remade / MATRICES).read_bytes()
    assert (SAMPLES / MATRICES).stat().st_size < BYTES_MAX


@pytest.mark.parametrize(("name", "scenario"), NAMES.items())
def test_samples_are_small_and_valid(name: str, scenario: str) -> None:
    assert (SAMPLES / name).stat().st_size < BYTES_MAX
    report = validate_trace(SAMPLES / name, scenarios.load(scenario))
    assert report.bad_rows == 0
    assert report.rows > 1_000
