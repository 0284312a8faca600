"""Background profiles of a scenario file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from router_core.background import FRACTION_MAX, BackgroundProfile
from scenarios.model import Model, Share

Fraction = Annotated[float, Field(ge=0.0, le=FRACTION_MAX)]
Fractions = Annotated[list[Fraction], Field(min_length=24, max_length=24)]


class ProfileModel(Model):
    """Share of a line's rate that others take, hour by hour; see `router_core.background.BackgroundProfile`."""

    hours: Fractions
    off_hours: Fractions
    jitter: Annotated[float, Field(ge=0.0, le=1.0)]
    conference_probability: Share
    conference_fraction: Fraction

    def profile(self, name: str) -> BackgroundProfile:
        """Convert under the name of the whole profile."""
        return BackgroundProfile(
            name,
            tuple(self.hours),
            tuple(self.off_hours),
            self.jitter,
            self.conference_probability,
            self.conference_fraction,
        )
