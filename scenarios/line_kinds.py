"""How lines are called in a change: by what they join."""

from __future__ import annotations

from typing import Final

from router_core.network import NO_CARRIER, Network
from router_core.vocabulary import Level, NodeKind

LOCAL: Final = "local"
ACCESS: Final = "access"
SECOND_ACCESS: Final = "second_access"
BACKBONE: Final = "backbone"
# Not meant by a plain `lines`: they belong to one place, one front-end, or to somebody else.
SPECIAL: Final = (LOCAL, ACCESS, SECOND_ACCESS, BACKBONE)


def line_kinds(network: Network) -> list[str]:
    """Return the kind of each cable: of the lines ``2 * i`` and ``2 * i + 1`` of a built network.

    ``local`` within a site; ``access`` and ``second_access`` to a front-end's main and other homes; ``backbone`` to an
    external endpoint; between sites the two levels, the upper one first, such as ``province_city``.
    """
    kinds = []
    for line in range(0, network.line_count, 2):
        ends = (int(network.line_source[line]), int(network.line_target[line]))
        endpoint = next((end for end in ends if network.is_endpoint[end]), None)
        if endpoint is not None:
            other = ends[1] if endpoint == ends[0] else ends[0]
            main = network.homes[endpoint][0] == other
            external = network.node_kind[endpoint] == NodeKind.EXTERNAL
            kinds.append(BACKBONE if external else ACCESS if main else SECOND_ACCESS)
        elif network.line_carrier[line] == NO_CARRIER and network.node_site[ends[0]] == network.node_site[ends[1]]:
            kinds.append(LOCAL)
        else:
            upper, lower = sorted(int(network.node_level[end]) for end in ends)
            kinds.append(f"{Level(upper).name.lower()}_{Level(lower).name.lower()}")
    return kinds


def cables_between(network: Network, kinds: list[str], text: str) -> list[int] | None:
    """Return the cables between two places named as ``A-B``; None if no two places are called so.

    A centre stands for its site: all lines between the two sites are meant, but those of front-ends.
    """
    found: list[int] | None = None
    for cut in (place for place, letter in enumerate(text) if letter == "-"):
        ends = [network.node_index.get(name) for name in (text[:cut], text[cut + 1 :])]
        if None in ends:
            continue
        sides = [_meant(network, end) for end in ends if end is not None]
        found = found or []
        for cable in range(network.line_count // 2):
            a, b = int(network.line_source[2 * cable]), int(network.line_target[2 * cable])
            if (a in sides[0] and b in sides[1]) or (a in sides[1] and b in sides[0]):
                exact = a in ends and b in ends
                if exact or kinds[cable] not in SPECIAL:
                    found.append(cable)
    return found


def _meant(network: Network, node: int) -> set[int]:
    if network.node_kind[node] != NodeKind.CENTRE:
        return {node}
    here = network.node_site == network.node_site[node]
    return {int(other) for other in here.nonzero()[0]}
