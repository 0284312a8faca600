"""What must be imported before anything else.

Cimba adds to numba's types, and numba looks only once: before anything is compiled. LightGBM's OpenMP wants room that
other libraries use up: before they are loaded.
"""

from contextlib import suppress

with suppress(ImportError):
    import cimba  # noqa: F401
with suppress(ImportError):
    import lightgbm  # noqa: F401
