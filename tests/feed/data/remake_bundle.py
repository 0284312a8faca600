"""Remakes the kept sample of a schema version: `python tests/feed/data/remake_bundle.py` in the folder of the checkout.

Only to be run for a new version, which then gets a file of its own: the old ones must stay readable as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1] / "helpers")]


def main() -> None:
    """Write the sample."""
    from feed_bundles import drawn_bundle  # noqa: PLC0415 - from the folder above

    from feed.bundle.archive import pack  # noqa: PLC0415
    from feed.bundle.documents import SCHEMA_VERSION  # noqa: PLC0415

    (HERE / f"toy-schema-{SCHEMA_VERSION}.bundle").write_bytes(pack(drawn_bundle("toy", 7)))


if __name__ == "__main__":
    main()
