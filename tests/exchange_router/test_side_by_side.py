"""Jobs in processes of their own: their order, their progress, and that none outlives the others."""

from __future__ import annotations

import multiprocessing

import pytest
from timed_work import DIES, FAILS, timed_work

from exchange_router.side_by_side import side_by_side
from router_core.errors import BadInputError, ExchangeRouterError

LONG = 600.0


def test_results_keep_the_order_of_jobs_and_all_tell_their_progress():
    told = []
    results = side_by_side(timed_work, [0.4, 0.0, 0.2], 2, lambda number, done: told.append((number, done)))
    assert results == [1.4, 1.0, 1.2]
    assert sorted(told) == [(0, 0.5), (1, 0.5), (2, 0.5)]


def test_no_jobs_no_results():
    assert side_by_side(timed_work, [], 2, lambda *_: None) == []


@pytest.mark.parametrize(
    ("job", "error", "message"),
    [(FAILS, BadInputError, "three is right out"), (DIES, ExchangeRouterError, "exit code 7")],
)
def test_a_job_that_fails_or_dies_ends_the_others(job, error, message):
    with pytest.raises(error, match=message):
        side_by_side(timed_work, [LONG, job], 2, lambda *_: None)
    assert not multiprocessing.active_children()


def test_an_interrupt_of_the_parent_ends_all():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        side_by_side(timed_work, [LONG, LONG], 2, interrupted)
    assert not multiprocessing.active_children()
