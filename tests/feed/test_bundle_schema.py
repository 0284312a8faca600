"""The published JSON Schemas: current, and of one mind with the models about all that bundles hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from feed_bundles import drawn_bundle
from pydantic_core import from_json

from feed.bundle.json_schema import MODELS, schemas
from feed.bundle.manifest import manifest_of

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schema"
jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="comes with schemathesis, of extra dev")


def test_published_schemas_are_current() -> None:
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}
    ours = {name: found[name] for name in MODELS if name in found}
    assert ours == schemas(), "run `exchange-router policy schema`"


@pytest.mark.parametrize("name", ["toy", "province-0"])
def test_what_bundles_hold_is_valid_by_its_schema_and_with_a_strange_field_is_not(name: str) -> None:
    bundle = drawn_bundle(name, 5)
    validators = {kind: jsonschema_rs.Draft202012Validator(schema) for kind, schema in schemas().items()}
    kinds = set()
    for path, data in {"manifest.json": bundle.manifest_json, **bundle.files}.items():
        if path.endswith(".json"):
            kind = path.split("/")[0].removesuffix(".json")
            kinds.add(kind)
            document = from_json(data)
            validators[kind].validate(document)
            assert not validators[kind].is_valid({**document, "surprise": 1})
            first = next(iter(document))
            assert not validators[kind].is_valid({**document, first: None})
    assert kinds == set(MODELS) - {"delta"}
    assert manifest_of(bundle.manifest_json) == bundle.manifest


def test_schemas_name_themselves_and_refuse_unknown_fields_everywhere() -> None:
    names = set()
    for schema in schemas().values():
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        names.add(schema["$id"])
        for part in (schema, *schema.get("$defs", {}).values()):
            if "properties" in part:
                assert part["additionalProperties"] is False
    assert len(names) == len(MODELS)
