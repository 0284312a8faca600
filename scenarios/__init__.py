"""Platforms from TOML files, checked at the edge."""

from scenarios.loading import load, names, titles
from scenarios.topology import write_topology

__all__ = ["load", "names", "titles", "write_topology"]
