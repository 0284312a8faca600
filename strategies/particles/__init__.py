"""Test particles: which to send, and what those that come back, or do not, tell of the stations."""
