"""The guard: what of the telemetry can be believed, how far down to fall back, and what to warn of."""
