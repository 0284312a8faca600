"""Platforms from TOML files, checked at the edge."""
