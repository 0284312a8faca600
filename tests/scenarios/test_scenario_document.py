from __future__ import annotations

import re
from pathlib import Path

import scenarios
from scenarios.format_document import format_document

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scenario-format.md"


def test_the_document_is_in_step():
    assert DOCUMENT.read_text(encoding="utf-8") == format_document(), "run python -m scenarios.format_document"


def test_the_documented_variant_loads_and_differs(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", format_document(), re.DOTALL)
    path = tmp_path / "variant.toml"
    path.write_text(example, encoding="utf-8")
    variant, base = scenarios.load(str(path)), scenarios.load("jiangxi")
    assert variant.name == "jiangxi-calm"
    assert variant.demand.peak_utilisation == 0.5
    assert variant.network.digest == base.network.digest
    assert variant.digest != base.digest


def test_every_key_of_the_bundled_files_is_described():
    described = set(re.findall(r"^\| `(\w+)` \|", format_document(), re.MULTILINE)) | {"extends"}
    folder = Path(scenarios.__file__).parent
    for name in scenarios.names():
        text = (folder / f"{name}.toml").read_text(encoding="utf-8")
        keys = set(re.findall(r"^(\w+) = ", text, re.MULTILINE))
        assert keys <= described | {"province", "city", "county"}, f"{name}: {sorted(keys - described)}"
