"""What endpoints exchange by hour, mode and class: nothing is lost, and a plain loop finds the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, Exchanges
from router_core.units import HOUR_NS
from sim.mode_table import MODES_FILE, mode_table, read_modes, write_modes

NODES = 7


def drawn(seed: int, rows: int) -> Exchanges:
    rng = np.random.default_rng(seed)
    columns = {name: np.zeros(rows, dtype=np.int8) for name in FIELDS}
    columns |= {
        "submitted_ns": np.sort(rng.integers(0, 5 * HOUR_NS, rows)),
        "source": rng.integers(0, NODES, rows).astype(np.int32),
        "target": rng.integers(0, NODES, rows).astype(np.int32),
        "payload_bytes": rng.choice([0, 1, 2**40], rows),
        "mode": rng.integers(0, 4, rows).astype(np.int8),
        "priority": rng.integers(0, 3, rows).astype(np.int8),
    }
    return Exchanges(**columns)


@pytest.mark.parametrize("rows", [0, 1, 900])
@pytest.mark.parametrize("seed", range(3))
def test_table_equals_a_plain_sum_and_comes_back_from_its_file(tmp_path: Path, seed: int, rows: int) -> None:
    exchanges = drawn(seed, rows)
    expected: Counter[tuple[int, ...]] = Counter()
    for at in range(rows):
        for node in (exchanges.source[at], exchanges.target[at]):
            key = (exchanges.submitted_ns[at] // HOUR_NS, node, exchanges.mode[at], exchanges.priority[at])
            expected[tuple(map(int, key))] += int(exchanges.payload_bytes[at])
    write_modes(tmp_path, "ecmp", mode_table(exchanges, NODES))
    read = read_modes(tmp_path, "ecmp", NODES)
    assert read is not None
    columns = (read.hour, read.node, read.mode, read.priority)
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    assert keys == sorted(set(keys))
    assert dict(zip(keys, read.bytes.tolist(), strict=True)) == {key: size for key, size in expected.items() if size}


def test_older_folder_has_none_and_a_strange_node_is_refused(tmp_path: Path) -> None:
    assert read_modes(tmp_path, "ecmp", NODES) is None
    write_modes(tmp_path, "ecmp", mode_table(drawn(1, 50), NODES))
    with pytest.raises(BadInputError, match=r"modes\.parquet: column node: must lie in 0\.\.3") as caught:
        read_modes(tmp_path, "ecmp", 4)
    assert "\n" not in str(caught.value)
    assert pq.read_metadata(tmp_path / "ecmp" / MODES_FILE).num_rows > 0
