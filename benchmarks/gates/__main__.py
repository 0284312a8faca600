"""Run the gates: `python -m benchmarks.gates [--only NAME] [--record] [--json]`; exits 1 if one of them fails."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gates.base import Base
from benchmarks.gates.records import FOLDER, Records
from benchmarks.gates.runner import GATES, chosen, document, exit_code, lines, record_all, run_all


def main(arguments: Sequence[str] | None = None) -> int:
    """Run gates and print what they say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__)
    names = ", ".join(gate.name for gate in GATES)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help=f"one of {names}; may be repeated")
    parser.add_argument("--record", action="store_true", help="put what is measured on record, for this toolchain")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    parser.add_argument("--base", metavar="REVISION", help="compare with it where a toolchain is not on record")
    parser.add_argument("--strict", action="store_true", help="fail, too, where there is nothing to compare with")
    parser.add_argument("--records", type=Path, default=FOLDER, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        gates = chosen(given.only)
    except ValueError as error:
        print(f"gates: {error}", file=sys.stderr)
        return 2
    records = Records(given.records)
    reports = record_all(gates, records) if given.record else run_all(gates, records, Base(revision=given.base))
    if given.json:
        print(json.dumps(document(reports), indent=1, sort_keys=True))
    else:
        print("\n".join(lines(reports)))
        for report in reports:
            if report.to_record and not given.record:
                print(f"\nnot on record for {report.toolchain}; make gates-record would write\n{report.to_record}")
    return exit_code(reports, strict=given.strict)


if __name__ == "__main__":
    sys.exit(main())
