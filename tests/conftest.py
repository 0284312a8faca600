from __future__ import annotations

from hypothesis import settings

# Tests assert laws, never timings: a busy machine must not fail them.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
