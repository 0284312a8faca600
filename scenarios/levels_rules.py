"""Rules between keys of the levels form."""

from __future__ import annotations

from typing import Final

from router_core.errors import BadInputError
from router_core.vocabulary import Level
from scenarios.model_levels import CatalogueModel, LevelsModel
from scenarios.sites import Site

CROSSING: Final = "crossing"
# Bounds that keep a slip of the pen from filling the memory; many times a real province.
FRONT_ENDS_MAX: Final = 100_000
UNITS_MAX: Final = 5_000
SHARE_TOLERANCE: Final = 1e-9


def check_levels(model: LevelsModel, sites: list[Site]) -> None:
    """Raise `BadInputError` with the key path of the first key that does not agree with the others."""
    _check_names(model, sites)
    for site in sites:
        if site.front_ends < site.units:
            rule = f"each of the {site.units} units here has at least one front-end"
            raise BadInputError(f"{site.path}.front_ends", rule, site.front_ends)
    _check_province(model)
    _check_catalogue(model.catalogue)
    for key, most, total in (
        ("front_ends", FRONT_ENDS_MAX, sum(site.front_ends for site in sites)),
        ("units", UNITS_MAX, sum(site.units for site in sites)),
    ):
        if total > most:
            raise BadInputError("cities", f"{key} of all places together must not exceed {most}", total)


def _check_names(model: LevelsModel, sites: list[Site]) -> None:
    seen = {CROSSING, "gateway-1", "gateway-2", model.national.name}
    for site in sites:
        if site.name in seen:
            raise BadInputError(f"{site.path}.name", "names of places are unique", site.name)
        seen.add(site.name)
    cities = [site.name for site in sites if site.level == Level.CITY]
    for index, city in enumerate(model.cities):
        if city.neighbour not in cities or city.neighbour == city.name:
            raise BadInputError(f"cities[{index}].neighbour", "must name another of the cities", city.neighbour)
    first, second = model.carriers
    if first.name == second.name:
        raise BadInputError("carriers[1].name", "the two carriers have two names", second.name)


def _check_province(model: LevelsModel) -> None:
    province = model.province
    if province.direct_units > province.units:
        raise BadInputError("province.direct_units", "must not exceed units", province.direct_units)
    if province.inner_units >= province.units:
        raise BadInputError("province.inner_units", "at least one unit is left outside", province.inner_units)
    if province.inner_front_ends < province.inner_units:
        rule = f"each of the {province.inner_units} inner units has at least one front-end"
        raise BadInputError("province.inner_front_ends", rule, province.inner_front_ends)
    if province.inner_units == 0 and province.inner_front_ends > 0:
        rule = "front-ends of the inner zone belong to inner units, and there are none"
        raise BadInputError("province.inner_front_ends", rule, province.inner_front_ends)
    outer = province.front_ends - province.inner_front_ends
    wanted = model.catalogue.data_unit_front_ends + province.units - province.inner_units - 1
    if outer < wanted:
        rule = f"inner ones left out, the province's outer units need {wanted} front-ends"
        raise BadInputError("province.front_ends", rule, province.front_ends)


def _check_catalogue(says: CatalogueModel) -> None:
    total = says.unconditional_share + says.conditional_share + says.not_shared_share
    if abs(total - 1) > SHARE_TOLERANCE:
        rule = "the shares of the three sharing types sum to 1"
        raise BadInputError("catalogue.unconditional_share", rule, total)
    if says.resources_max < says.resources_min:
        raise BadInputError("catalogue.resources_max", "must not be below resources_min", says.resources_max)
    for path, names in (
        ("catalogue.sectors", [sector.name for sector in says.sectors]),
        ("catalogue.high_use", [item.name for item in says.high_use]),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                raise BadInputError(f"{path}[{index}].name", "names are unique", name)
