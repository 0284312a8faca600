"""How nodes and lines serve, in a scenario file: servers, times, discipline, buffer, spill, credit."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from router_core.network import NO_LIMIT
from router_core.network_builder import Credit, Service
from router_core.units import MS_NS, US_NS, ps_per_byte
from router_core.vocabulary import Discipline
from scenarios.model import FixedUs, Milliseconds, Model, RateMbps, Servers, nanoseconds

MB: Final = 1_000_000

DisciplineName = Literal["fifo", "priority", "sharing"]
Megabytes = Annotated[float, Field(ge=0.0, le=1e12)]


class SpillModel(Model):
    """What waiting on disk adds to a service: time for any chunk [us], and rate of the disk [Mbit/s]."""

    fixed_us: Annotated[float, Field(ge=0.0, le=1e9)]
    rate_mbps: RateMbps


class CreditModel(Model):
    """How many megabytes an endpoint may have under way, and how long a credit travels back [ms]; 1 MB = 10^6 bytes."""

    mb: Megabytes
    return_ms: Annotated[float, Field(ge=0.001, le=1e6)]

    def credit(self) -> Credit:
        """Convert to integer bytes and ns."""
        return Credit(round(self.mb * MB), nanoseconds(self.return_ms, MS_NS))


class _Waiting(Model):
    """Whom a station serves next, and where the others wait."""

    discipline: DisciplineName = "fifo"
    spill: SpillModel | None = None
    buffer_mb: Annotated[Megabytes | None, Field(validate_default=True)] = None

    @field_validator("buffer_mb")
    @classmethod
    def _fits_the_others(cls, buffer_mb: float | None, info: ValidationInfo) -> float | None:
        """Refuse a buffer where nobody waits, and one of buffer and spill without the other."""
        spills = info.data.get("spill") is not None
        if buffer_mb is not None and info.data.get("discipline") == "sharing":
            raise PydanticCustomError("buffer", "nobody waits at a shared station, so it has no buffer")
        if buffer_mb is not None and "spill" in info.data and not spills:
            raise PydanticCustomError("buffer", "what is above it waits on disk: `spill` must say what that costs")
        if buffer_mb is None and spills:
            raise PydanticCustomError("buffer", "a station that spills must say how much waits in memory")
        return buffer_mb

    def _service(self, servers: int, fixed_us: float, rate_mbps: float, after_ns: int = 0) -> Service:
        return Service(
            servers,
            nanoseconds(fixed_us, US_NS),
            ps_per_byte(rate_mbps),
            after_ns,
            Discipline[self.discipline.upper()],
            NO_LIMIT if self.buffer_mb is None else round(self.buffer_mb * MB),
            nanoseconds(self.spill.fixed_us, US_NS) if self.spill else 0,
            ps_per_byte(self.spill.rate_mbps) if self.spill else 0,
        )


class ServiceModel(_Waiting):
    """How a node serves: parallel servers, fixed time a chunk [us], rate of one server [Mbit/s].

    Whom it serves next: `fifo`, `priority` (the most urgent class, nobody is interrupted), `sharing` (all at once, in
    equal shares). `buffer_mb` is what can wait in memory, without limit if it is not given; the rest spills to disk.
    """

    servers: Servers
    fixed_us: FixedUs
    rate_mbps: RateMbps

    def service(self) -> Service:
        """Convert to integer ns and ps."""
        return self._service(self.servers, self.fixed_us, self.rate_mbps)


class EndpointModel(ServiceModel):
    """How an endpoint serves: as any node, and what it sends is held back by its credit, if it has one."""

    credit: CreditModel | None = None


class LineModel(_Waiting):
    """How one direction of a line serves: rate [Mbit/s], fixed time a chunk [us], propagation [ms].

    Whom it serves next, and how much can wait for it in memory, as for a node.
    """

    rate_mbps: RateMbps
    fixed_us: FixedUs
    propagation_ms: Milliseconds

    def service(self, distance_ms: float = 0.0) -> Service:
        """Convert to integer ns and ps; `distance_ms` is added to the propagation."""
        after_ns = nanoseconds(self.propagation_ms + distance_ms, MS_NS)
        return self._service(1, self.fixed_us, self.rate_mbps, after_ns)
