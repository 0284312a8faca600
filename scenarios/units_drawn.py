"""Units of a province, and which front-end belongs to which, from the levels form."""

from __future__ import annotations

from dataclasses import dataclass

from router_core.elementary import exp
from router_core.errors import BadInputError
from router_core.randomness import stream
from router_core.vocabulary import Level
from scenarios.model_levels import LevelsModel
from scenarios.sites import Site


@dataclass(frozen=True)
class UnitRow:
    """One connected unit; `site` is the number of its site, -1 for the national platform."""

    name: str
    label_zh: str
    level: Level
    sector: int
    region: int
    site: int
    weight: float
    inner: bool


def draw_units(model: LevelsModel, sites: list[Site]) -> list[UnitRow]:
    """Return the units site by site: at the province the shared-data unit first; the national platform last.

    A place's units take the sectors in the file's order, round and round: what is connected first everywhere are
    the first sectors. Weights are lognormal about the sector's and the level's.
    """
    says = model.catalogue
    rng = stream(says.seed, "catalogue/units")
    level_weight = {
        Level.PROVINCE: says.level_weight_province,
        Level.CITY: says.level_weight_city,
        Level.COUNTY: says.level_weight_county,
    }
    inner = _inner_positions(model)
    rows: list[UnitRow] = []
    for number, site in enumerate(sites):
        noise = exp(says.sigma * rng.standard_normal(site.units))
        shared = number == 0
        for position in range(site.units):
            if shared and position == 0:
                weight = says.data_unit_factor * level_weight[Level.PROVINCE]
                label = f"{site.label_zh}{says.data_unit_zh}"
                rows.append(UnitRow(says.data_unit_name, label, site.level, 0, 0, 0, weight, inner=False))
                continue
            turn = position - 1 if shared else position
            index, again = turn % len(says.sectors), turn // len(says.sectors)
            sector = says.sectors[index]
            weight = float(noise[position]) * sector.weight * level_weight[site.level]
            direct = shared and position < model.province.direct_units
            if direct:
                weight *= says.direct_factor
            label = sector.province_zh if shared else sector.lower_zh
            if again:
                label = f"{sector.label_zh}{'部门' if direct else '机构'}{again + 1}"
            name = f"{site.name}-{sector.name}-{again + 1}"
            is_inner = shared and position in inner
            rows.append(
                UnitRow(name, site.label_zh + label, site.level, index, site.region, number, weight, inner=is_inner)
            )
    national = model.national
    region = len(model.cities) + 1
    rows.append(UnitRow(national.name, national.label_zh, Level.NATION, 0, region, -1, national.weight, inner=False))
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            places = {says.data_unit_name: "catalogue.data_unit_name", national.name: "national.name"}
            place = places.get(row.name, f"{sites[row.site].path}.name")
            raise BadInputError(place, "names of units, made of place and sector, are unique", row.name)
        seen.add(row.name)
    return rows


def _inner_positions(model: LevelsModel) -> frozenset[int]:
    """Positions of the province's inner units: the first ones whose sector works in the inner zone."""
    sectors, wanted = model.catalogue.sectors, model.province.inner_units
    fitting = [p for p in range(1, model.province.units) if sectors[(p - 1) % len(sectors)].inner]
    if len(fitting) < wanted:
        rule = f"must not exceed the {len(fitting)} units of inner sectors"
        raise BadInputError("province.inner_units", rule, wanted)
    return frozenset(fitting[:wanted])


def front_ends_of(model: LevelsModel, sites: list[Site], units: list[UnitRow], number: int) -> list[int]:
    """Return the owning unit of each front-end at a site: one each, and the rest by weight, heaviest first."""
    here = [index for index, unit in enumerate(units) if unit.site == number]
    if number > 0:
        return _dealt(here, units, sites[number].front_ends)
    data_unit = here[0]
    inner = [index for index in here if units[index].inner]
    outer = [index for index in here[1:] if not units[index].inner]
    province, own = model.province, model.catalogue.data_unit_front_ends
    left = province.front_ends - province.inner_front_ends - own
    shared = [data_unit] * (own if outer else own + left)
    return shared + _dealt(outer, units, left) + _dealt(inner, units, province.inner_front_ends)


def _dealt(owners: list[int], units: list[UnitRow], count: int) -> list[int]:
    if not owners:
        return []
    heaviest = sorted(owners, key=lambda index: -units[index].weight)
    extra = count - len(owners)
    each = dict.fromkeys(owners, 1)
    for turn in range(extra):
        each[heaviest[turn % len(heaviest)]] += 1
    return [owner for owner in owners for _ in range(each[owner])]
