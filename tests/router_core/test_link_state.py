"""What is known of stations: ages, and what cannot be is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from router_core.errors import BadInputError
from router_core.link_state import NEVER_NS, LinkState

GOOD = LinkState(
    now_ns=100,
    stay_ns=np.array([1.0, 0.0]),
    utilisation=np.array([0.5, 1.5]),
    loss=np.array([0.0, 1.0]),
    observed_ns=np.array([40, NEVER_NS]),
    confidence=np.array([1.0, 0.0]),
    identified=np.array([True, False]),
    up=np.array([True, False]),
)


def test_age_counts_from_the_newest_observation():
    assert GOOD.age_ns.tolist() == [60, NEVER_NS]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"stay_ns": np.array([-1.0, 0.0])}, "stay_ns[0]"),
        ({"stay_ns": np.array([0.0, np.inf])}, "stay_ns[1]"),
        ({"utilisation": np.array([0.0, np.nan])}, "utilisation[1]"),
        ({"loss": np.array([0.0, 1.1])}, "loss[1]"),
        ({"confidence": np.array([1.5, 0.0])}, "confidence[0]"),
        ({"observed_ns": np.array([101, 0])}, "observed_ns[0]"),
        ({"observed_ns": np.array([0, -2])}, "observed_ns[1]"),
        ({"observed_ns": np.array([0.0, 1.0])}, "observed_ns"),
        ({"up": np.array([1, 0])}, "up"),
        ({"identified": np.array([True])}, "identified"),
        ({"loss": np.zeros((2, 1))}, "loss"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused_by_name(change, place):
    with pytest.raises(BadInputError) as error:
        replace(GOOD, **change)
    assert error.value.place == f"link state: {place}"
