"""Elementary functions: near the exact value, and the same bits everywhere."""

from __future__ import annotations

from decimal import Context, Decimal
from hashlib import sha256

import numpy as np
import pytest

from router_core.elementary import exp

EXACT = Context(prec=40)


@pytest.mark.parametrize("spread", [1e-9, 0.3, 1.0, 20.0, 300.0])
@pytest.mark.parametrize("seed", range(3))
def test_exp_is_within_a_unit_in_the_last_place(seed: int, spread: float) -> None:
    x = np.clip(np.random.default_rng(seed).normal(0.0, spread, 2_000), -700.0, 700.0)
    exact = np.array([float(Decimal(value).exp(EXACT)) for value in x.tolist()])
    assert (np.abs(exp(x) - exact) <= np.spacing(exact)).all()


def test_exp_of_the_ends_and_of_nothing() -> None:
    x = np.array([[0.0, -0.0], [700.0, -700.0]])
    assert exp(x)[0].tolist() == [1.0, 1.0]
    assert exp(x).shape == (2, 2)
    assert np.isfinite(exp(x)).all()
    assert exp(x)[1, 1] > 0
    assert exp(np.empty(0)).shape == (0,)


def test_exp_has_these_bits() -> None:
    """Made with whole steps of 1/512 from -20 to 20; another processor that gives others breaks every digest."""
    x = np.arange(-20 * 512, 20 * 512 + 1) / 512
    assert sha256(exp(x).astype("<f8").tobytes()).hexdigest()[:16] == "f941f5aaa9285aeb"


@pytest.mark.parametrize("value", [700.1, -701.0, np.nan, np.inf])
def test_exp_refuses_what_it_cannot_do(value: float) -> None:
    with pytest.raises(ValueError, match=r"-700\.\.700"):
        exp(np.array([0.0, value]))
