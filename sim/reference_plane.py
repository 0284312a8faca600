"""The reference data plane, the specification of how exchanges move; `sim/reference` has its parts."""

from __future__ import annotations

from sim.reference.plane import ReferencePlane

__all__ = ["ReferencePlane"]
