"""Calls of the compiled engine as a program full of mistakes would make them: right, wrong, and in any order."""

from __future__ import annotations

from copy import deepcopy
from random import Random

import numpy as np
from made_engine import NODES, STATIONS, i1, i4, i8, u1

from router_core.engine import Engine


def mangled(random: Random, value):
    """Something else in place of an argument, mostly wrong."""
    if isinstance(value, int):
        return random.choice((-1, 0, -(2**31), 2**31 - 1, 2**31, 2**62 + 1, -(2**63), 2**63, 2**70, 1.5, "1", None))
    if isinstance(value, tuple | list):
        wrong = [*value, mangled(random, 0)]
        random.shuffle(wrong)
        return random.choice((type(value)(wrong), value[:-1], None, type(value)(), "routes", 7))
    kind = value.dtype
    changed = value.copy()
    if changed.size and kind != np.float64:
        places = tuple(random.randrange(length) for length in changed.shape)
        limits = np.iinfo(kind)
        changed[places] = random.choice((limits.max, limits.min, limits.max // 2, limits.min // 2, max(-1, limits.min)))
    fixed = value.copy()
    fixed.setflags(write=False)
    return random.choice(
        (
            changed,
            changed,
            changed,
            value[::-1],
            value[:-1],
            np.concatenate([value, value]),
            np.repeat(value, 2, axis=-1)[..., ::2],
            value[np.newaxis],
            value.astype(np.float64),
            value.astype(np.int16),
            value.astype(kind.newbyteorder(">")),
            fixed,
            value.tolist(),
            None,
        )
    )


class Caller:
    """Draws calls; what engines return is told to it, so that most of the arguments are right.

    Parameters
    ----------
    random : Random
    wrong : float
        In what share of the calls an argument is mangled.
    """

    def __init__(self, random: Random, wrong: float) -> None:
        self._random = random
        self._wrong = wrong
        self._now_ns = 0
        self._last_ns = 0
        self._handed_over = 0
        self._ended = 0
        self._pairs = 0
        self._places: list[int] = []
        self._wanted: list[int] = []

    def draw(self):
        """Return a method's name and its arguments."""
        random = self._random
        if self._wanted and random.random() < 0.8:
            name, arguments = "bind", self.bind()
        else:
            names = ("pairs", "forget_ways", "intern", "bind", "wanted", "under_way", "reroute", "submit", "run")
            names += ("send", "collect", "set_service", "set_servers", "set_up", "snapshot", "outcome")
            name = random.choices(names, (3, 1, 3, 3, 3, 2, 2, 6, 12, 4, 2, 3, 3, 3, 2, 2))[0]
            arguments = getattr(self, name)()
        if arguments and random.random() < self._wrong:
            arguments[random.randrange(len(arguments))] = mangled(random, deepcopy(random.choice(arguments)))
            if random.random() < 0.1:
                arguments.pop()
        return name, arguments

    def told(self, name: str, arguments, result, engine: Engine) -> None:
        """Learn what came of a call that was not refused."""
        self._now_ns, self._handed_over, self._ended = engine.now_ns, engine.handed_over, engine.ended
        self._last_ns = max(self._last_ns, self._now_ns)
        if name == "pairs":
            self._pairs = max(self._pairs, 1 + max(arguments[2].tolist(), default=-1))
        elif name == "intern":
            self._places.append(result)
        elif name == "submit":
            self._last_ns = int(arguments[0][-1])
        elif name in ("wanted", "under_way"):
            self._wanted = [pair for pair, _, _ in result]

    # Arguments of each method, mostly right.

    def _some(self, low: int, high: int):
        return [self._random.randint(low, high) for _ in range(self._random.randint(0, 6))]

    def _stations(self):
        return i4(*self._random.sample(range(STATIONS), self._random.randint(1, 3)))

    def pairs(self):
        source = i4(*self._some(0, NODES - 1))
        return [source, np.roll(source, 1), np.zeros_like(source)]

    def forget_ways(self):
        self._wanted = []
        return []

    def intern(self):
        return [tuple(self._random.choices(range(STATIONS), k=self._random.randint(2, 6)))]

    def bind(self):
        pair = self._wanted.pop() if self._wanted else self._random.randint(0, self._pairs)
        routes = self._random.choices(self._places, k=self._random.randint(0, 3)) if self._places else []
        return [pair, routes, [self._random.randint(1, 5) for _ in routes]]

    def wanted(self):
        return [self._now_ns + self._random.choice((0, 100, 5_000))]

    def under_way(self):
        return []

    def reroute(self):
        return []

    def submit(self):
        count = self._random.randint(1, 30)
        at_ns = self._last_ns + np.cumsum([self._random.choice((0, 0, 1, 60)) for _ in range(count)])
        pair = [self._random.randrange(max(self._pairs, 1)) for _ in range(count)]
        size = [self._random.choice((0, 1, 700, 2_048, 9_000)) for _ in range(count)]
        return [at_ns.astype(np.int64), i4(*pair), i8(*size), i1(*self._random.choices(range(8), k=count))]

    def send(self):
        count = self._random.randint(1, 6)
        lengths = [self._random.choice((2, 3, 5, 6, 7, 14, 15, 40)) for _ in range(count)]
        stations = self._random.choices(range(STATIONS), k=sum(lengths))
        size = [self._random.choice((0, 1, 700, 9_000)) for _ in range(count)]
        classes = self._random.choices(range(8), k=count)
        return [np.cumsum([0, *lengths]).astype(np.int64), i4(*stations), i8(*size), i1(*classes)]

    def collect(self):
        return [np.zeros(self._ended, np.int64), np.zeros(self._ended, np.int64)]

    def run(self):
        return [self._now_ns + self._random.choice((0, 1, 50, 300, 2_000)), self._random.choice((0, 1, 7, 500))]

    def set_service(self):
        stations = self._stations()
        fixed_ns = [
            self._random.choice((1, 5, 100, 10**4, 10**18)[: 4 + (self._random.random() < 0.1)]) for _ in stations
        ]
        return [stations, i8(*fixed_ns), i8(*(self._random.choice((0, 1, 999, 8_000_000)) for _ in stations))]

    def set_servers(self):
        stations = self._stations()
        return [stations, i4(*(self._random.choice((1, 2, 5, 9, 30)) for _ in stations))]

    def set_up(self):
        stations = self._stations()
        return [stations, u1(*(self._random.choice((0, 1, 1, 1)) for _ in stations))]

    def snapshot(self):
        return [np.zeros((6, STATIONS), dtype=np.int64)]

    def outcome(self):
        count = self._handed_over
        return [np.zeros(count, np.int64), np.zeros(count, np.int8), np.zeros(count, np.int32)]
