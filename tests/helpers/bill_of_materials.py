"""Writes the software bill of materials, `make sbom`: CycloneDX 1.6, equal bytes for equal locks.

What runs is `required`; what development and the benchmarks' peers add is `excluded`: no centre installs it.
"""

from __future__ import annotations

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from supply import BENCH, DEV, ROOT, RUN, VENDORED, Pinned, licence_of, pinned

OUT = ROOT / "build" / "sbom.cdx.json"
REQUIRED = ComponentScope.REQUIRED


def bill() -> str:
    """Return the bill as JSON."""
    bom = Bom()
    bom.metadata.component = Component(
        name="exchange-router",
        type=ComponentType.APPLICATION,
        bom_ref="exchange-router",
        licenses=[DisjunctiveLicense(id="Apache-2.0")],
    )
    listed: dict[str, ComponentScope] = {}
    for lock, scope in (
        (RUN, REQUIRED),
        (DEV, ComponentScope.EXCLUDED),
        (BENCH, ComponentScope.EXCLUDED),
    ):
        for one in pinned(lock):
            if one.name not in listed:
                listed[one.name] = scope
                bom.components.add(_package(one, scope))
    for file in VENDORED:
        bom.components.add(
            Component(
                name=file.name,
                version=file.version,
                type=ComponentType.LIBRARY,
                scope=REQUIRED,
                bom_ref=file.path,
                purl=PackageURL("npm", name=file.name, version=file.version),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
                licenses=[DisjunctiveLicense(id=file.licence)],
            )
        )
    # Locks say what is there, and not who asks for it: all that runs is the project's own.
    bom.register_dependency(bom.metadata.component, [one for one in bom.components if one.scope is REQUIRED])
    return _without_clock(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())


def _package(one: Pinned, scope: ComponentScope) -> Component:
    stated = licence_of(one.name)
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        scope=scope,
        bom_ref=f"pypi/{one.name}",
        purl=PackageURL("pypi", name=one.name, version=one.version),
        # One of each file that an index may serve: a wheel for each machine, and the source.
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashed) for hashed in one.hashes],
        licenses=[DisjunctiveLicense(name=stated)] if stated else [],
    )


def _without_clock(text: str) -> str:
    """Take out when it was made; its number follows from what it says."""
    document = json.loads(text)
    document["metadata"].pop("timestamp", None)
    document.pop("serialNumber", None)
    said = json.dumps(document, sort_keys=True, ensure_ascii=False)
    document["serialNumber"] = f"urn:uuid:{UUID(bytes=sha256(said.encode()).digest()[:16], version=4)}"
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> int:
    """Write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    text = bill()
    out.write_text(text, encoding="utf-8")
    print(f"{len(json.loads(text)['components'])} components: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
