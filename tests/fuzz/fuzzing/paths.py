"""Where things are; importing this lets the other modules find the tests' makers of inputs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parents[1]
ROOT: Final = HERE.parents[1]
CORPUS: Final = HERE / "corpus"
CRASHES: Final = HERE / "crashes"
BUILD: Final = ROOT / "build" / "fuzz"
for _folder in (HERE, *(ROOT / "tests" / name for name in ("helpers", "importers", "report"))):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
