"""What every part of a scenario file shares: strict models, bounded numbers with their units, and conversions."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from router_core.network import Pool
from router_core.network_builder import SERVERS_MAX
from router_core.units import SECOND_NS

RATE_MBPS_MAX: Final = 8_000_000.0  # one picosecond a byte, the finest a station can say

# Printable, and no blanks at either end: names become parts of reports, of file rows and of messages of one line.
Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=80, pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"
    ),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Servers = Annotated[int, Field(ge=1, le=SERVERS_MAX)]
# A rate below 1 Mbit/s would pass the largest time a byte that a station may have.
RateMbps = Annotated[float, Field(ge=1.0, le=RATE_MBPS_MAX)]
FixedUs = Annotated[float, Field(ge=0.001, le=1e9)]
Milliseconds = Annotated[float, Field(ge=0.0, le=1e6)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Factor = Annotated[float, Field(ge=1e-6, le=1e6)]
Sigma = Annotated[float, Field(ge=0.0, le=5.0)]
Detour = Annotated[float, Field(ge=1.0, le=10.0)]
Longitude = Annotated[float, Field(ge=-180.0, le=180.0)]
Latitude = Annotated[float, Field(ge=-90.0, le=90.0)]
Small = Annotated[int, Field(ge=0, le=10_000)]
Positive = Annotated[int, Field(ge=1, le=10_000)]


class Model(BaseModel):
    """A table of a scenario file: no unknown keys, no silent conversion, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Titles(Model):
    """How a scenario is called."""

    name: Name
    title_en: Text
    title_zh: Text


class Head(Titles):
    """What every scenario file says first."""

    schema_: Annotated[int, Field(ge=1, le=1, alias="schema")]
    form: str


class Place(Model):
    """Longitude and latitude [degrees] for the map and for distances."""

    lon: Longitude
    lat: Latitude

    @property
    def xy(self) -> tuple[float, float]:
        """Both as a pair."""
        return self.lon, self.lat


class PoolModel(Model):
    """A cloud's elastic servers: how many it can lend at once, and how long one takes to start [s]."""

    servers: Annotated[int, Field(ge=0, le=SERVERS_MAX)]
    start_s: Annotated[float, Field(ge=0.0, le=1e6)]

    def pool(self, name: str, label_zh: str) -> Pool:
        """Convert to integer ns."""
        return Pool(name, label_zh, self.servers, nanoseconds(self.start_s, SECOND_NS))


def nanoseconds(value: float, unit_ns: int) -> int:
    """Return a duration in whole nanoseconds, rounded to the nearest."""
    return round(value * unit_ns)
