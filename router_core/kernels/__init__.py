"""Loops over arrays, private to `router_core`; README.md lists each with its oracle and benchmark."""
