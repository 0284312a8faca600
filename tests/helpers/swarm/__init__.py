"""Whole worlds in one process: the real programs, a simulated network between them, and everything that goes wrong."""
