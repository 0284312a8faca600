"""The same draws for arrays as for single exchanges."""

from __future__ import annotations

import numpy as np
import pytest

from router_core.spread import spread
from router_core.spread_many import spread_many


@pytest.mark.parametrize("salt", [0, 1, 0x401D])
@pytest.mark.parametrize("total", [1, 7, 1_000, 2**31])
def test_it_draws_what_spread_draws(salt: int, total: int) -> None:
    ids = np.concatenate((np.arange(200), [2**31, 2**40, 2**62]))
    assert spread_many(ids, salt, total).tolist() == [spread(one, salt, total) for one in ids.tolist()]


@pytest.mark.parametrize(("ids", "salt", "total"), [([-1], 0, 5), ([1], -1, 5), ([1], 0, 0)])
def test_what_spread_refuses_is_refused(ids: list[int], salt: int, total: int) -> None:
    with pytest.raises(ValueError, match="spread"):
        spread_many(np.array(ids), salt, total)
