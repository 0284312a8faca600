"""Changes of a scenario, such as ``demand x1.2`` or ``counties +3``, made on the platform that it builds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np

from router_core.background import RescaledBackground
from router_core.errors import BadInputError
from router_core.network import NO_STATION, Pool, frozen
from router_core.network_builder import SERVERS_MAX
from router_core.platform import ChangedPlatform, Copy, Platform, unchanged
from router_core.units import PS_PER_BYTE_MAX
from router_core.vocabulary import Level, NodeKind
from scenarios.change_texts import CHANGES_MAX, Change, parse_change
from scenarios.copies import (
    NodeCopy,
    background_of,
    copies_of_units,
    county_copies,
    county_models,
    extended,
    front_end_copies,
)
from scenarios.levels_rules import FRONT_ENDS_MAX
from scenarios.line_kinds import SPECIAL, cables_between, line_kinds

_ONE: Final = Fraction(1)
# A front-end that joins a unit brings half of what its model exchanges: a relation has two ends, and each counts half.
FRONT_END_SHARE: Final = 0.5


def changed(platform: Platform, changes: Sequence[str]) -> Platform:
    """Return a platform with changes, made one after the other; the platform itself if they come to nothing.

    Factors of one thing multiply exactly and are rounded once, at the end: ``lines x2`` and ``lines x0.5`` together
    change nothing. A platform has at least one server wherever it had one.

    Parameters
    ----------
    platform : Platform
        Of a scenario, without changes.
    changes : sequence of str

    Raises
    ------
    BadInputError
        For the first change that does not read as one, or cannot be made on this platform.
    """
    if isinstance(changes, str):
        raise BadInputError("changes", "must be a sequence of texts", changes)
    if len(changes) > CHANGES_MAX:
        raise BadInputError("changes", f"at most {CHANGES_MAX} are made at once", len(changes))
    if unchanged(platform) is not platform:
        raise BadInputError("changes", "are made of a scenario that has none yet", changes)
    draft = _Draft(platform)
    for text in changes:
        draft.make(parse_change(text))
    return draft.platform()


class _Draft:
    """What changes have come to so far: a network with copies, and what is to be multiplied, in exact fractions."""

    def __init__(self, platform: Platform) -> None:
        self._base = platform
        self._network = platform.network
        self._catalogue = platform.catalogue
        self._background = platform.background
        self._rate = [_ONE] * (platform.network.line_count // 2)
        self._servers = [Fraction(int(count)) for count in platform.network.station_servers]
        self._pools = [Fraction(pool.servers) for pool in platform.network.pools]
        self._others = _ONE
        self._demand = [_ONE] * len(platform.demand.types)
        self._copies: list[tuple[Copy, ...]] = []
        self._made: list[str] = []

    def make(self, change: Change) -> None:
        """Make one change."""
        makers: dict[str, Callable[[Change], None]] = {
            "demand": self._of_demand,
            "front-ends": self._of_front_ends,
            "counties": self._of_counties,
            "lines": self._of_lines,
            "others": self._of_others,
            "servers": self._of_servers,
            "pool": self._of_pools,
            "pools": self._of_pools,
        }
        makers[change.what](change)
        self._made.append(change.text)

    def _of_demand(self, change: Change) -> None:
        names = [kind.name for kind in self._base.demand.types]
        if change.place is not None and change.place not in names:
            raise change.refused(f"must name one of the types of demand {', '.join(names)}", change.place)
        if not names:
            raise change.refused("this scenario has no demand of its own to change")
        for index, name in enumerate(names):
            if change.place in (None, name):
                self._demand[index] = change.of(self._demand[index])

    def _of_front_ends(self, change: Change) -> None:
        there = len(self._network.nodes_of(NodeKind.FRONT_END))
        if there == 0:
            raise change.refused("new front-ends take after those that there are, and there are none")
        count = round(change.of(Fraction(there))) - there
        if there + count > FRONT_ENDS_MAX:
            raise change.refused(f"there may be at most {FRONT_ENDS_MAX} front-ends", there + count)
        if count == 0:
            return
        before, made = self._network, front_end_copies(self._network, count)
        node_unit = [*self._catalogue.node_unit.tolist(), *(int(self._catalogue.node_unit[one.model]) for one in made)]
        self._extend([[one] for one in made])
        self._catalogue = replace(self._catalogue, node_unit=frozen(node_unit, np.int32))
        nothing = frozen([], np.int32)
        self._copies.append(
            tuple(
                Copy(
                    frozen([one.model], np.int32),
                    frozen([before.node_count + place], np.int32),
                    nothing,
                    nothing,
                    FRONT_END_SHARE,
                )
                for place, one in enumerate(made)
            )
        )

    def _of_counties(self, change: Change) -> None:
        if not county_models(self._network):
            raise change.refused("new counties take after those that there are, and this scenario has none")
        assert change.more is not None
        if change.more == 0:
            return
        made = county_copies(self._network, change.more)
        front_ends = len(self._network.nodes_of(NodeKind.FRONT_END)) + sum(map(len, made))
        if front_ends > FRONT_ENDS_MAX:
            raise change.refused(f"there may be at most {FRONT_ENDS_MAX} front-ends", front_ends)
        units, copies = copies_of_units(self._catalogue, self._network, made, self._catalogue.node_unit.tolist())
        self._extend(made)
        self._catalogue = units.catalogue
        self._copies.append(tuple(copies))

    def _extend(self, copies: Sequence[Sequence[NodeCopy]]) -> None:
        before = self._network
        result = extended(before, copies)
        after = self._network = result.network
        self._background = background_of(self._background, result.cable_model)
        self._rate = [self._rate[cable] for cable in result.cable_model.tolist()]
        servers = list(self._servers)
        self._servers = [Fraction(int(count)) for count in after.station_servers]
        model = result.node_model
        pairs = [
            (after.node_station, before.node_station[model]),
            (after.node_process_station, before.node_process_station[model]),
        ]
        for now, was in pairs:
            for station, old_station in zip(now.tolist(), was.tolist(), strict=True):
                if station != NO_STATION:
                    self._servers[station] = servers[old_station]

    def _of_lines(self, change: Change) -> None:
        kinds = line_kinds(self._network)
        place = change.place
        if place is None:
            chosen = [cable for cable, kind in enumerate(kinds) if kind not in SPECIAL]
            if not chosen:
                raise change.refused("this scenario has no lines between sites")
        elif place in kinds:
            chosen = [cable for cable, kind in enumerate(kinds) if kind == place]
        elif place in self._network.carriers:
            carrier = self._network.carriers.index(place)
            chosen = np.flatnonzero(self._network.line_carrier[::2] == carrier).tolist()
        else:
            between = cables_between(self._network, kinds, place)
            if between is None:
                known = ", ".join([*dict.fromkeys(sorted(kinds)), *self._network.carriers])
                raise change.refused(f"must name two nodes as NODE-NODE, or one of {known}", place)
            if not between:
                raise change.refused("no line joins the two", place)
            chosen = between
        for cable in chosen:
            self._rate[cable] = change.of(self._rate[cable])

    def _of_others(self, change: Change) -> None:
        if (self._background.line_profile < 0).all():
            raise change.refused("this scenario's lines have no other users")
        self._others = change.of(self._others)

    def _of_servers(self, change: Change) -> None:
        network, place = self._network, change.place
        centres = network.nodes_of(NodeKind.CENTRE)
        levels = [level.name.lower() for level in Level]
        if place is None:
            chosen = centres
        elif place in levels:
            chosen = centres[network.node_level[centres] == levels.index(place)]
            if len(chosen) == 0:
                raise change.refused("this scenario has no centres of that level", place)
        else:
            node = network.node_index.get(place)
            if node is None:
                raise change.refused(f"must name a node, or a level of centres: one of {', '.join(levels[1:])}", place)
            chosen = np.array([node])
        process = network.node_process_station[chosen]
        for station in np.where(process == NO_STATION, network.node_station[chosen], process).tolist():
            self._servers[station] = change.of(self._servers[station])

    def _of_pools(self, change: Change) -> None:
        names = [pool.name for pool in self._network.pools]
        if change.place is not None and change.place not in names:
            raise change.refused(f"must name one of the pools {', '.join(names) or '(there are none)'}", change.place)
        if not names:
            raise change.refused("this scenario has no pools")
        for index, name in enumerate(names):
            if change.place in (None, name):
                self._pools[index] = change.of(self._pools[index])

    def platform(self) -> Platform:
        """Return what the changes have come to."""
        base = self._base
        network = self._network
        rate = np.repeat(np.array([float(factor) for factor in self._rate]), 2)
        ps = network.station_ps_per_byte.copy()
        faster = [(cable, factor) for cable, factor in enumerate(self._rate) if factor != 1]
        for cable, factor in faster:
            for line in (2 * cable, 2 * cable + 1):
                station = int(network.line_station[line])
                ps[station] = min(max(_whole(Fraction(int(ps[station])) / factor), 1), PS_PER_BYTE_MAX)
        counts = [max(_whole(count), 1) for count in self._servers]
        pools = [
            Pool(p.name, p.label_zh, _whole(n), p.start_ns) for p, n in zip(network.pools, self._pools, strict=True)
        ]
        _check_servers(network.station_name, counts, pools)
        if (
            not self._copies
            and not faster
            and counts == network.station_servers.tolist()
            and tuple(pools) == network.pools
            and all(factor == 1 for factor in (*self._demand, self._others))
        ):
            return base
        background = self._background
        rate /= float(self._others)
        if (rate != 1).any():
            background = RescaledBackground(
                background.profiles,
                background.line_profile,
                frozen(background.line_scale / rate, np.float64),
                frozen(rate, np.float64),
            )
        return ChangedPlatform(
            name=base.name,
            title_en=f"{base.title_en} ({', '.join(self._made)})",
            title_zh=f"{base.title_zh}（{'，'.join(self._made)}）",
            network=replace(
                network,
                station_ps_per_byte=frozen(ps, np.int64),
                station_servers=frozen(counts, np.int32),
                pools=tuple(pools),
            ),
            catalogue=self._catalogue,
            background=background,
            demand=base.demand,
            transport=base.transport,
            base=base,
            changes=tuple(self._made),
            demand_factor=tuple(float(factor) for factor in self._demand),
            copies=tuple(self._copies),
        )


def _whole(value: Fraction) -> int:
    """Round to the nearest whole number, halves up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _check_servers(names: Sequence[str], counts: Iterable[int], pools: Iterable[Pool]) -> None:
    for name, count in (*zip(names, counts, strict=True), *((pool.name, pool.servers) for pool in pools)):
        if count > SERVERS_MAX:
            raise BadInputError(f"servers of {name}", f"must not exceed {SERVERS_MAX} after the changes", count)
