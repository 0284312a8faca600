"""Peers of the replay benchmarks: the same work in other simulators, written as their own documentation would."""
