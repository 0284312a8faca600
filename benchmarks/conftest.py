"""What must be imported before anything else.

Cimba adds to numba's types, and numba looks only once: before anything is compiled. The OpenMP libraries of
scikit-learn and LightGBM want room that others use up: before those are loaded, where the Makefile has not made more.
"""

from contextlib import suppress

import sklearn  # noqa: F401

with suppress(ImportError, OSError):
    import lightgbm  # noqa: F401
with suppress(ImportError, OSError):
    import cimba  # noqa: F401
