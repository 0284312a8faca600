"""Holds the locked packages against the advisories that are known, `make audit`.

Exit code 0: none is known, or each has its reason below; 1: some are known; 3: no service of advisories answered, so
that nothing was audited.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from supply import BENCH, DEV, RUN, pinned

# Advisory to why it does not touch this project; looked at again whenever the locks change.
ACCEPTED: Final[dict[str, str]] = {}


def main() -> int:
    """Audit what runs first, then what development and benchmarks add."""
    known: dict[str, str] = {}
    asked, missed = 0, 0
    for lock in (RUN, DEV, BENCH):
        words = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
        found = subprocess.run(
            [*words, "--require-hashes", "--disable-pip", "-r", str(lock)], capture_output=True, text=True, check=False
        )
        try:
            document = json.loads(found.stdout)
        except ValueError:
            print(f"{lock.name}: no service of advisories answered: {(found.stderr.strip().splitlines() or [''])[-1]}")
            return 3
        for one in document["dependencies"]:
            asked += 1
            missed += "skip_reason" in one
            for advisory in one.get("vulns", ()):
                fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
                known[advisory["id"]] = f"{one['name']} {one['version']}: {advisory['id']}, mended in {fixed}"
    if missed == asked:
        print(f"no service of advisories answered: none of {asked} packages was audited")
        return 3
    for number, line in sorted(known.items()):
        print(f"{line}{'; accepted: ' + ACCEPTED[number] if number in ACCEPTED else ''}")
    packages = len({(one.name, one.version) for lock in (RUN, DEV, BENCH) for one in pinned(lock)})
    print(f"{packages} packages, {len(known)} advisories, {missed} packages that no service knows")
    return 1 if set(known) - set(ACCEPTED) else 0


if __name__ == "__main__":
    sys.exit(main())
