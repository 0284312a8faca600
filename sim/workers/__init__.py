"""The one seam for scale: a function of a module over a list of items, on one machine or on a cluster."""

from sim.workers.news import tell
from sim.workers.opening import open_workers
from sim.workers.workers import OnDone, OnNews, Workers

__all__ = ["OnDone", "OnNews", "Workers", "open_workers", "tell"]
