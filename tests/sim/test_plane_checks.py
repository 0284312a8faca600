"""What a batch is refused for: the first rule broken, and the row where it is broken first, found by hand too."""

from __future__ import annotations

from random import Random

import pytest
from made_networks import INSTANT, exchanges

from router_core.errors import BadInputError
from router_core.network_builder import NetworkBuilder
from router_core.units import DURATION_NS_MAX, PAYLOAD_BYTES_MAX
from router_core.vocabulary import PRIORITY_MAX, NodeKind
from sim import plane_checks

FIRST_ID = 50
EARLIEST_NS = 100


def network(kinds: str):
    """Endpoints and centres, in that order."""
    builder = NetworkBuilder(("outer",))
    for number, kind in enumerate(kinds):
        if kind == "e":
            builder.add_node(f"n{number}", NodeKind.FRONT_END, service=INSTANT)
        else:
            builder.add_node(f"n{number}", NodeKind.CENTRE, service=INSTANT, process=INSTANT)
    centre = kinds.index("c")
    for number in range(len(kinds)):
        if number != centre:
            builder.add_line(number, centre, service=INSTANT)
    return builder.build()


NETWORKS = {kinds: network(kinds) for kinds in ("cceeeee", "eeceece")}


def broken_by_hand(kinds: str, batch) -> str | None:
    """Where the first broken rule is broken first, rules in the order in which a batch is told of them."""
    at_ns, source, target = batch.submitted_ns.tolist(), batch.source.tolist(), batch.target.tolist()
    sizes, classes = batch.payload_bytes.tolist(), batch.priority.tolist()
    rows = range(len(at_ns))

    def bad_end(node: int) -> bool:
        return not 0 <= node < len(kinds) or kinds[node] != "e"

    rules = [
        ("submitted_ns", lambda row: row == 0 and at_ns[0] < EARLIEST_NS),
        ("submitted_ns", lambda row: row > 0 and at_ns[row] < at_ns[row - 1]),
        ("submitted_ns", lambda row: at_ns[row] > DURATION_NS_MAX),
        ("source", lambda row: bad_end(source[row])),
        ("target", lambda row: bad_end(target[row])),
        ("target", lambda row: source[row] == target[row]),
        ("payload_bytes", lambda row: not 0 <= sizes[row] <= PAYLOAD_BYTES_MAX),
        ("priority", lambda row: not 0 <= classes[row] <= PRIORITY_MAX),
    ]
    for name, is_broken in rules:
        for row in rows:
            if is_broken(row):
                return f"exchange {FIRST_ID + row}.{name}"
    return None


def drawn_batch(random: Random, kinds: str):
    """Up to thirty rows, right but for up to two cells."""
    count = random.randint(0, 30)
    ends = [number for number, kind in enumerate(kinds) if kind == "e"]
    pairs = [random.sample(ends, 2) for _ in range(count)]
    at_ns = sorted(random.randint(EARLIEST_NS, 130) for _ in range(count))
    sizes = [random.choice((0, 5, PAYLOAD_BYTES_MAX)) for _ in range(count)]
    classes = [random.randint(0, PRIORITY_MAX) for _ in range(count)]
    batch = exchanges(at_ns, [a for a, _ in pairs], [b for _, b in pairs], sizes, priority=classes)
    wrong = {
        "submitted_ns": (0, EARLIEST_NS - 1, 115, DURATION_NS_MAX + 1, -(2**63)),
        "source": (-1, len(kinds), kinds.index("c"), ends[0], -(2**31)),
        "target": (-1, len(kinds), kinds.index("c"), ends[-1], 2**31 - 1),
        "payload_bytes": (-1, PAYLOAD_BYTES_MAX + 1, -(2**63)),
        "priority": (-1, PRIORITY_MAX + 1, -128, 127),
    }
    for _ in range(random.randint(0, 2) if count else 0):
        name = random.choice(list(wrong))
        getattr(batch, name)[random.randrange(count)] = random.choice(wrong[name])
    return batch


@pytest.mark.parametrize("kinds", NETWORKS)
def test_the_first_broken_rule_is_told_where_it_is_broken_first(monkeypatch, kinds):
    monkeypatch.setattr(plane_checks, "ROWS_A_BLOCK", 7)
    random, told = Random(1), set()
    for _ in range(1_500):
        batch = drawn_batch(random, kinds)
        place = None
        try:
            plane_checks.check_batch(NETWORKS[kinds], batch, FIRST_ID, EARLIEST_NS)
        except BadInputError as error:
            place = error.place
        assert place == broken_by_hand(kinds, batch)
        told.add(place and place.split(".")[1])
    assert told == {None, "submitted_ns", "source", "target", "payload_bytes", "priority"}
