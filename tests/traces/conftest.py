from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest

import scenarios
from router_core.exchanges import Exchanges, concatenate
from router_core.platform import Platform
from router_core.units import DAY_NS
from traces.generate import TraceGenerator
from traces.schema import TraceInfo, trace_info

PLAIN_DAY = date(2026, 3, 17)


@pytest.fixture(scope="session")
def toy() -> Platform:
    return scenarios.load("toy")


@pytest.fixture(scope="session")
def jiangxi() -> Platform:
    return scenarios.load("jiangxi")


@pytest.fixture(scope="session")
def toy_generator(toy: Platform) -> TraceGenerator:
    return TraceGenerator(toy, start=PLAIN_DAY, seed=1)


@pytest.fixture(scope="session")
def toy_day(toy_generator: TraceGenerator) -> Exchanges:
    return concatenate(list(toy_generator))


@pytest.fixture(scope="session")
def toy_info(toy: Platform) -> TraceInfo:
    """Information of an empty kind of trace: no labels, a day long."""
    return trace_info(toy, start=datetime(2026, 3, 17), span_ns=DAY_NS)


@pytest.fixture
def trace_file(tmp_path: Path) -> Path:
    return tmp_path / "trace.parquet"
