"""How test particles are sent."""

from __future__ import annotations

from dataclasses import dataclass

from router_core.errors import BadInputError
from router_core.units import SECOND_NS
from router_core.vocabulary import PRIORITY_MAX

COUNT_MAX = 1_000_000
BYTES_MAX = 2**30


@dataclass(frozen=True)
class ProbeSetting:
    """Rhythm, sizes and budget of test particles.

    Attributes
    ----------
    rounds : int
        Every station that any route passes is seen at least once in any so many rounds in a row, >= 1.
    period_ns : int
        From round to round [ns], > 0.
    bytes_per_s : float
        What all particles together may send [bytes/s], > 0.
    extra_share : float
        Part of the budget that is kept for rounds on demand, in [0, 1).
    burst_s : float
        How long budget of rounds on demand that was not used can be saved up [s], > 0.
    particles_min : int
        Rounds are filled up to so many particles where the budget allows, so that all routes have their turn, >= 0.
    small_bytes, large_bytes : int
        Two sizes: what a particle takes at a station for each byte shows in the difference. 1 <= small <= large.
    large_share : float
        Share of particles that are large where the budget allows, in 0..1.
    priority : int
        Class of service in which particles travel; they see the waits of that class.
    collect_ns : int
        A round is collected so long after it was sent [ns], > 0.
    visits : int
        On demand, each wanted station gets so many particles, >= 1.

    Raises
    ------
    BadInputError
        Naming the value that is not as above.
    """

    rounds: int = 8
    period_ns: int = 60 * SECOND_NS
    bytes_per_s: float = 200_000.0
    extra_share: float = 0.25
    burst_s: float = 120.0
    particles_min: int = 250
    small_bytes: int = 2_000
    large_bytes: int = 64_000
    large_share: float = 0.25
    priority: int = 0
    collect_ns: int = 30 * SECOND_NS
    visits: int = 4

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rounds", 1, COUNT_MAX),
            ("period_ns", 1, 2**60),
            ("bytes_per_s", 1e-9, 1e18),
            ("extra_share", 0.0, 1.0 - 1e-9),
            ("burst_s", 1e-9, 1e9),
            ("particles_min", 0, COUNT_MAX),
            ("small_bytes", 1, BYTES_MAX),
            ("large_bytes", self.small_bytes, BYTES_MAX),
            ("large_share", 0.0, 1.0),
            ("priority", 0, PRIORITY_MAX),
            ("collect_ns", 1, 2**60),
            ("visits", 1, COUNT_MAX),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInputError(f"particles.{name}", f"must lie in {low}..{high}", value)
