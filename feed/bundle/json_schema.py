"""JSON Schema (2020-12) of every document of a bundle, made from the models.

A schema says what it can: names, types, ranges. Rules between fields (ascending, of one length, of one sum) stand in
the models alone; whatever a schema refuses, the models refuse too.
"""

from __future__ import annotations

from typing import Any, Final

from feed.bundle.delta import DeltaDocument
from feed.bundle.documents import (
    SCHEMA_VERSION,
    CapacityDocument,
    ClassesDocument,
    Document,
    GuardsDocument,
    Manifest,
    NowDocument,
    PlatformDocument,
    RelationsDocument,
    ReleaseDocument,
    RoutesDocument,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MODELS: Final[dict[str, type[Document]]] = {
    "capacity": CapacityDocument,
    "classes": ClassesDocument,
    "delta": DeltaDocument,
    "guards": GuardsDocument,
    "manifest": Manifest,
    "now": NowDocument,
    "platform": PlatformDocument,
    "relations": RelationsDocument,
    "release": ReleaseDocument,
    "routes": RoutesDocument,
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each kind of document, by its name."""
    return {
        name: {
            "$schema": DIALECT,
            "$id": f"urn:exchange-router:bundle:{SCHEMA_VERSION}:{name}",
            **_first_sentences(model.model_json_schema(mode="validation")),
        }
        for name, model in MODELS.items()
    }


def _first_sentences(schema: Any) -> Any:
    """Return the schema with the first paragraph of each description: the rest is for readers of the code."""
    if isinstance(schema, dict):
        return {
            key: value.split("\n\n")[0] if key == "description" and isinstance(value, str) else _first_sentences(value)
            for key, value in schema.items()
        }
    return [_first_sentences(one) for one in schema] if isinstance(schema, list) else schema
