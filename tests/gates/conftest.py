"""What lies in `benchmarks/gates` is run by path there; tests import it as those processes do."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT / "benchmarks" / "gates"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
