"""The scheduler core: platform model, routes, loads and optima. It knows no simulator, no clock and no I/O."""
