"""The route table of the bundled province: a look-up in compiled code, from Python, and in a batch."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from measured import median_s
from pytest_benchmark.fixture import BenchmarkFixture

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.network import Network
from router_core.table import RouteTable, route_table
from router_core.vocabulary import PRIORITY_MAX

HERE = Path(__file__).parent
ROWS = 100_000
# Several programs may share the machine: time of this process counts, not that of its neighbours.
pytestmark = pytest.mark.benchmark(timer=time.process_time)
SIZES = [pytest.param("toy", id="small"), pytest.param("jiangxi", id="jiangxi", marks=pytest.mark.heavy)]

BUILD = """
import sys
import time
from Cython.Build import cythonize
from setuptools import Extension, setup
extension = Extension("table_caller", [sys.argv.pop(1)], extra_compile_args=["-O3"])
setup(script_args=["-q", "build_ext", "--inplace"], ext_modules=cythonize(
    [extension], include_path=[sys.argv.pop(1)], compiler_directives={"cdivision": True}, quiet=True))
"""


class Asked:
    """A table, its plan, and exchanges to ask for, drawn evenly over all pairs of endpoints and classes."""

    def __init__(self, scenario: str) -> None:
        self.network: Network = scenarios.load(scenario).network
        self.plan = EqualCostPlan(self.network)
        self.table: RouteTable = route_table(self.network, self.plan)
        rng = np.random.default_rng(1)
        self.source, self.target = rng.choice(self.network.endpoints, (2, ROWS)).astype(np.int32)
        self.priority = rng.integers(0, PRIORITY_MAX + 1, ROWS).astype(np.int8)
        self.exchange_id = rng.permutation(10 * ROWS)[:ROWS]

    def check(self, routes: list[int]) -> None:
        """Assert that these are the picks of the plan, for the first exchanges."""
        group = self.network.node_group
        for row, number in enumerate(routes[:2_000]):
            choice = self.plan.choice(int(group[self.source[row]]), int(group[self.target[row]]))
            assert choice is not None
            picked = choice.trunks[choice.pick(int(self.exchange_id[row]))]
            assert self.table.route(number).trunk == picked

    def record(self, benchmark: BenchmarkFixture, count: int, target_s: float, goal: str) -> None:
        """Store the time of one look-up."""
        benchmark.extra_info |= {
            "goal": goal,
            "value": median_s(benchmark) / count,
            "target": target_s,
            "table_bytes": self.table.nbytes,
            "routes": self.table.route_count,
        }


@pytest.fixture(scope="module", params=SIZES)
def asked(request: pytest.FixtureRequest) -> Asked:
    return Asked(request.param)


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """An extension of its own, against the table's `.pxd` alone."""
    folder = tmp_path_factory.mktemp("compiled")
    source = folder / "table_caller.pyx"
    source.write_bytes((HERE / "compiled" / "table_caller.pyx").read_bytes())
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, str(source), str(HERE.parent)],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    spec = spec_from_file_location("table_caller", next(folder.glob("table_caller.*.so")))
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_python(asked: Asked, rounds: int) -> int:
    """What the compiled caller finds, by its plan."""
    group = asked.network.node_group
    first = {}
    number = 0
    for a in range(len(asked.network.groups)):
        for b in range(len(asked.network.groups)):
            choice = asked.plan.choice(a, b)
            assert choice is not None
            first[a, b] = number
            number += len(choice.trunks)
    row = total = 0
    for number in range(rounds):
        pair = (int(group[asked.source[row]]), int(group[asked.target[row]]))
        choice = asked.plan.choice(*pair)
        assert choice is not None
        total += first[pair] + choice.pick(number + (total & 1))
        row = (row + 1 + (total & 1)) % ROWS
    return total


def test_compiled(benchmark: BenchmarkFixture, asked: Asked, caller: ModuleType) -> None:
    columns = [column.tobytes() for column in (asked.source, asked.target, asked.priority)]
    assert caller.one_by_one(asked.table, *columns, 2_000) == in_python(asked, 2_000)
    rounds = 1_000_000
    benchmark.pedantic(caller.one_by_one, (asked.table, *columns, rounds), rounds=9, warmup_rounds=1)
    asked.record(benchmark, rounds, 100e-9, "table.lookup")


def test_from_python(benchmark: BenchmarkFixture, asked: Asked) -> None:
    rows = list(
        zip(*(c.tolist() for c in (asked.source, asked.target, asked.priority, asked.exchange_id)), strict=True)
    )
    lookup = asked.table.lookup

    def work() -> None:
        for row in rows:
            lookup(*row)

    # What is handed out is made when first asked for.
    asked.check([lookup(*row).number for row in rows])
    benchmark.pedantic(work, rounds=7, warmup_rounds=1)
    asked.record(benchmark, ROWS, 1e-6, "table.lookup.python")


def test_batch(benchmark: BenchmarkFixture, asked: Asked) -> None:
    out = np.empty(ROWS, dtype=np.int32)
    columns = (asked.source, asked.target, asked.priority, asked.exchange_id)
    benchmark.pedantic(asked.table.lookup_many, columns, {"out": out}, rounds=21, warmup_rounds=1)
    asked.check(out.tolist())
    asked.record(benchmark, ROWS, 1 / 20e6, "table.lookup.batch")
    benchmark.extra_info["per_s"] = ROWS / median_s(benchmark)


def test_batch_with_stations_down(benchmark: BenchmarkFixture, asked: Asked) -> None:
    out = np.empty(ROWS, dtype=np.int32)
    columns = (asked.source, asked.target, asked.priority, asked.exchange_id)
    down = np.zeros(asked.network.station_count, dtype=np.uint8)
    asked.table.lookup_many(*columns, out=out)
    down[asked.table.stations(int(out[0]))[1]] = 1
    benchmark.pedantic(asked.table.lookup_many, columns, {"out": out, "down": down}, rounds=21, warmup_rounds=1)
    used = {station for number in set(out.tolist()) if number >= 0 for station in asked.table.stations(number)}
    assert used
    assert not down[list(used)].any()
    benchmark.extra_info["value"] = median_s(benchmark) / ROWS
