"""What the analysis of particles and telemetry goes by."""

from __future__ import annotations

from dataclasses import dataclass

from router_core.errors import BadInputError
from router_core.units import MINUTE_NS


@dataclass(frozen=True)
class EstimatorSetting:
    """Sizes, memories and priors.

    Attributes
    ----------
    usual_bytes : float
        Size of the chunk whose stay is told, and mean size of the chunks that queue [bytes], > 0.
    squared_variation : float
        Variance of chunk sizes by the square of their mean, >= 0.
    more_urgent, as_urgent : float
        Share of a station's load that goes before the class whose stay is told where priorities rule, and share that
        goes before it or beside it; 0 <= more_urgent <= as_urgent <= 1. As given, stays are means over all classes;
        particles should then travel in a middle class.
    half_life_ns : int
        After so long a particle counts half [ns], > 0.
    telemetry_half_life_ns : int
        The same for a sample of telemetry [ns], > 0.
    wait_spread : float
        How far waits are from what telemetry lets expect: standard deviation by mean, > 0.
    idle_spread : float
        Standard deviation of the wait at a station without telemetry, in services of a usual chunk, > 0.
    loss : float
        Share of chunks that a station loses as far as nothing is known, in (0, 1).
    loss_visits : float
        How many visits that is worth, > 0.
    rows_max : int
        Particles kept at most, >= 1.

    Raises
    ------
    BadInputError
        Naming the value that is not as above.
    """

    usual_bytes: float = 1_000_000.0
    squared_variation: float = 1.0
    more_urgent: float = 0.0
    as_urgent: float = 1.0
    half_life_ns: int = 4 * MINUTE_NS
    telemetry_half_life_ns: int = 3 * MINUTE_NS
    wait_spread: float = 0.6
    idle_spread: float = 2.0
    loss: float = 0.0005
    loss_visits: float = 10.0
    rows_max: int = 2_500

    def __post_init__(self) -> None:
        tiny, large = 1e-12, 1e18
        for name, low, high in (
            ("usual_bytes", tiny, large),
            ("squared_variation", 0.0, large),
            ("more_urgent", 0.0, 1.0),
            ("as_urgent", self.more_urgent, 1.0),
            ("half_life_ns", 1, 2**60),
            ("telemetry_half_life_ns", 1, 2**60),
            ("wait_spread", tiny, large),
            ("idle_spread", tiny, large),
            ("loss", tiny, 1 - tiny),
            ("loss_visits", tiny, large),
            ("rows_max", 1, 2**40),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadInputError(f"link_state.{name}", f"must lie in {low}..{high}", value)
