"""Cimba adds to numba's types when it is imported, and numba looks only once: so before anything is compiled."""

from contextlib import suppress

with suppress(ImportError):
    import cimba  # noqa: F401
