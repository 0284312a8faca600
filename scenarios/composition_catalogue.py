"""The catalogue of a composition: units, systems and resources of the template for each member, and cross grants."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.catalogue import NO_UNIT, Catalogue
from router_core.elementary import exp
from router_core.errors import BadInputError
from router_core.network import frozen
from router_core.platform import Platform
from router_core.randomness import stream
from router_core.vocabulary import NodeKind, SharingType
from scenarios.model_composition import CompositionModel, Member

REGIONS_MAX: Final = np.iinfo(np.int16).max


def copy_name(member: str, name: str) -> str:
    """Name of a member's copy of a node, unit, system or resource of the template."""
    return f"{member}.{name}"


def copy_label(model: CompositionModel, member: Member, label_zh: str) -> str:
    """Chinese label of a copy: the template's own province becomes the member, other labels get it in front."""
    own = model.template_label_zh
    if label_zh.startswith(own):
        return member.label_zh + label_zh.removeprefix(own)
    return f"{member.label_zh}·{label_zh}"


def compose_catalogue(model: CompositionModel, template: Platform) -> Catalogue:
    """Copy units, systems and resources for each member; what is the external endpoint's exists once, at the end.

    The template has exactly one external endpoint, whose unit owns nothing else.
    """
    book, members = template.catalogue, model.members
    network = template.network
    external = network.nodes_of(NodeKind.EXTERNAL)
    is_shared = np.isin(np.arange(book.unit_count), book.node_unit[external])
    units = _Copied(is_shared, len(members))
    resources = _Copied(is_shared[book.resource_unit], len(members))
    systems = _Copied(is_shared[book.system_unit], len(members))

    regions = int(book.unit_city[~is_shared].max()) + 1
    if regions * len(members) > REGIONS_MAX:
        rule = f"members times the template's {regions} regions must not exceed {REGIONS_MAX}"
        raise BadInputError("members", rule, len(members))
    region = np.where(units.is_shared, regions * len(members), units.spread(book.unit_city) + units.member * regions)

    stray = np.ones(units.count)
    for number, member in enumerate(members):
        rng = stream(model.variation.seed, f"composition/units/{member.name}")
        stray[units.member_rows(number)] = exp(model.variation.unit_sigma * rng.standard_normal(len(units.own)))

    nodes = _Copied(network.node_kind == NodeKind.EXTERNAL, len(members))
    node_unit = nodes.spread(book.node_unit)

    system = resources.spread(book.resource_system)
    sharing = resources.spread(book.resource_sharing)
    pairs = _grant_pairs(model, book, units, resources)
    labels = [copy_label(model, member, book.unit_label_zh[index]) for member in members for index in units.own]
    return Catalogue(
        unit_name=units.names(book.unit_name, members),
        unit_label_zh=tuple(labels + [book.unit_label_zh[index] for index in units.shared]),
        unit_level=frozen(units.spread(book.unit_level), np.int8),
        unit_sector=frozen(units.spread(book.unit_sector), np.int16),
        unit_city=frozen(region, np.int16),
        unit_weight=frozen(units.spread(book.unit_weight) * stray, np.float64),
        node_unit=frozen(
            np.where(node_unit < 0, NO_UNIT, units.index(np.maximum(node_unit, 0), nodes.member)), np.int32
        ),
        system_name=systems.names(book.system_name, members),
        system_unit=frozen(units.index(systems.spread(book.system_unit), systems.member), np.int32),
        resource_name=resources.names(book.resource_name, members),
        resource_unit=frozen(units.index(resources.spread(book.resource_unit), resources.member), np.int32),
        resource_system=frozen(
            np.where(system < 0, system, systems.index(np.maximum(system, 0), resources.member))
            if systems.count
            else system,
            np.int32,
        ),
        resource_sharing=frozen(sharing, np.int8),
        resource_released=frozen(resources.spread(book.resource_released), np.bool_),
        resource_weight=frozen(resources.spread(book.resource_weight), np.float64),
        grant_start=frozen(np.searchsorted(pairs[:, 0], np.arange(resources.count + 1)), np.int64),
        grant_unit=frozen(pairs[:, 1], np.int32),
    )


class _Copied:
    """Numbers of things that exist once a member, but for the shared ones, which exist once and come last.

    Parameters
    ----------
    is_shared : bool (n,)
        Which of the template's things are shared.
    members : int
    """

    def __init__(self, is_shared: NDArray[np.bool_], members: int) -> None:
        self.own = np.flatnonzero(~is_shared)
        self.shared = np.flatnonzero(is_shared)
        self.count = members * len(self.own) + len(self.shared)
        self._template_is_shared = is_shared
        self._rank = np.where(is_shared, np.cumsum(is_shared), np.cumsum(~is_shared)) - 1
        self._origin = np.concatenate((np.tile(self.own, members), self.shared))
        self.is_shared = np.arange(self.count) >= members * len(self.own)
        # A shared thing belongs to no member; 0 does no harm, because what it refers to is shared too.
        self.member = np.where(self.is_shared, 0, np.arange(self.count) // max(1, len(self.own)))
        self._first_shared = members * len(self.own)

    def member_rows(self, member: int) -> slice:
        """Numbers of one member's own things."""
        return slice(member * len(self.own), (member + 1) * len(self.own))

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the template's value for every copy."""
        spread: NDArray[Any] = values[self._origin]
        return spread

    def index(self, template_index: NDArray[np.integer], member: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the number of each template thing's copy at each member."""
        rank = self._rank[template_index]
        own = member * len(self.own) + rank
        shared = self._template_is_shared[template_index]
        return np.asarray(np.where(shared, self._first_shared + rank, own), dtype=np.int64)

    def names(self, names: tuple[str, ...], members: list[Member]) -> tuple[str, ...]:
        """Return the name of every copy."""
        copies = [copy_name(member.name, names[index]) for member in members for index in self.own]
        return tuple(copies + [names[index] for index in self.shared])


def _grant_pairs(model: CompositionModel, book: Catalogue, units: _Copied, resources: _Copied) -> NDArray[np.int64]:
    """(resource, unit) of every grant, ascending and unique: the template's within each member, then cross grants.

    A cross grant goes to the same unit of another member: a tax office's resource to another province's.
    """
    count = len(model.members)
    resource = np.repeat(np.arange(book.resource_count), np.diff(book.grant_start))
    member = np.repeat(np.arange(count), len(resource))
    within = np.column_stack(
        (
            resources.index(np.tile(resource, count), member),
            units.index(np.tile(book.grant_unit, count), member),
        )
    )
    rng = stream(model.cross.seed, "composition/cross-grants")
    conditional = resources.spread(book.resource_sharing) == SharingType.CONDITIONAL
    lucky = rng.random(resources.count) < model.cross.granted_share
    chosen = np.flatnonzero(conditional & lucky & ~resources.is_shared)
    steps = rng.integers(1, count, size=(len(chosen), model.cross.members))
    receiver = (resources.member[chosen][:, None] + steps) % count
    owner = np.repeat(resources.spread(book.resource_unit)[chosen], model.cross.members)
    across = np.column_stack((np.repeat(chosen, model.cross.members), units.index(owner, receiver.reshape(-1))))
    return np.asarray(np.unique(np.concatenate((within, across)), axis=0), dtype=np.int64)
