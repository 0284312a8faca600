"""Fuzzing of every parser: targets, mutators, guards and drivers; `docs/fuzzing.md` describes them."""
