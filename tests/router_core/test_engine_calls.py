"""Calls drawn from seeds, right ones and wrong ones mixed, leave the compiled engine as the right ones alone do."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from random import Random

import numpy as np
import pytest
from engine_calls import Caller
from made_engine import CALLS, ROUTE, look, made, refuses_everything

from router_core.engine import Engine, Run

# What a wrong call may raise, and nothing else may come out.
ERRORS = (ValueError, TypeError, OverflowError, MemoryError)


def called(engine: Engine, name: str, arguments):
    """Return what a call gives, and what it leaves in its arguments."""
    result = getattr(engine, name)(*arguments)
    return result, [argument.tolist() for argument in arguments if isinstance(argument, np.ndarray)]


def end(engine: Engine):
    """Run on for a while, and return what is seen then; nothing if an instant was too far off."""
    way = engine.intern(ROUTE)
    until_ns = min(engine.now_ns + 50_000, 2**62)
    try:
        # A size mistaken for an instant makes many chunks: not all of them have to arrive.
        for _ in range(200):
            if engine.run(until_ns, 100) == Run.WANTS_WAYS:
                for pair, _, _ in engine.wanted(until_ns):
                    engine.bind(pair, [way], [1])
    except OverflowError:
        return None
    return look(engine)


def fuzzed(seed: int, counts: Counter[str]) -> bool:
    """Make drawn calls, those that are not refused to a twin too, and compare; return whether the engine lived."""
    random = Random(seed)
    caller = Caller(random, random.choice((0.0, 0.1, 0.3, 0.6)))
    chunk_bytes = random.choice((0, 2_048))
    engine, twin = made(chunk_bytes=chunk_bytes), made(chunk_bytes=chunk_bytes)
    for _ in range(300):
        name, arguments = caller.draw()
        before = deepcopy(arguments)
        try:
            found = called(engine, name, arguments)
        except ERRORS as error:
            counts[f"{name} refused"] += 1
            if str(error) == "engine: has failed before":
                assert refuses_everything(engine, "has failed before")
                return False
            continue
        counts[name] += 1
        assert called(twin, name, before) == found, name
        caller.told(name, arguments, found[0], engine)
        if name == "submit":
            for column in arguments:
                column.setflags(write=True)
                column[:] = -1
    ends = [end(one) for one in (engine, twin)]
    assert ends[0] == ends[1]
    if ends[0] is None:
        return False
    _, (submitted, delivered, refused, _, _, sent, received, lost), _, outcome, particles = ends[0]
    delivered_ns, refusal, _ = (np.array(column, dtype=np.int64) for column in outcome)
    counts["delivered"] += delivered
    counts["received"] += received
    counts["lost"] += lost
    assert received + lost <= sent
    assert len(particles) == len({number for number, _ in particles}) <= received + lost
    assert submitted <= engine.handed_over
    assert (delivered, refused) == (int((delivered_ns >= 0).sum()), int((refusal > 0).sum()))
    assert not ((delivered_ns >= 0) & (refusal > 0)).any()
    return True


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_no_sequence_of_calls_harms_it(first):
    counts: Counter[str] = Counter()
    lived = sum(fuzzed(seed, counts) for seed in range(first, first + 50))
    assert lived > 40
    assert counts["delivered"] > 500
    assert counts["received"] > 100 < counts["lost"]
    for name, arguments in CALLS.items():
        assert counts[name] > 20
        assert counts[f"{name} refused"] > 20 or not arguments
