"""The reference data plane: the rules of `docs/adr/0007-how-exchanges-move.md` in SimPy, written to be read."""
