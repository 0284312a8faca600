"""Platforms from TOML files, checked at the edge."""

from scenarios.loading import load, names
from scenarios.topology import write_topology

__all__ = ["load", "names", "write_topology"]
