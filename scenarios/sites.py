"""The places of a province, from the levels form."""

from __future__ import annotations

from dataclasses import dataclass

from router_core.vocabulary import Level
from scenarios.model_levels import LevelsModel


@dataclass(frozen=True)
class Site:
    """A place with a centre and two routers.

    Attributes
    ----------
    path : str
        Its key path in the scenario file.
    name, label_zh : str
    level : Level
    region : int
        0 for the province, 1 and up for each city with its counties.
    parent : int
        Number of the site above, -1 for the province's.
    xy : pair of float
        Longitude and latitude [degrees].
    units, front_ends : int
        How many there are.
    """

    path: str
    name: str
    label_zh: str
    level: Level
    region: int
    parent: int
    xy: tuple[float, float]
    units: int
    front_ends: int


def sites_of(model: LevelsModel) -> list[Site]:
    """Province first, then each city followed by its counties; a site's number is its place in this list."""
    top = model.province
    sites = [Site("province", top.name, top.label_zh, Level.PROVINCE, 0, -1, top.xy, top.units, top.front_ends)]
    for region, city in enumerate(model.cities, start=1):
        path, number = f"cities[{region - 1}]", len(sites)
        sites.append(Site(path, city.name, city.label_zh, Level.CITY, region, 0, city.xy, city.units, city.front_ends))
        for index, county in enumerate(city.counties):
            sites.append(
                Site(
                    f"{path}.counties[{index}]",
                    county.name,
                    county.label_zh,
                    Level.COUNTY,
                    region,
                    number,
                    county.xy,
                    county.units,
                    county.front_ends,
                )
            )
    return sites
