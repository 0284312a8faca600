"""What the project is made of is pinned to the byte, permitted by its licence, and listed."""

from __future__ import annotations

import json
import re
import tomllib

import pytest
from bill_of_materials import bill
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from supply import BENCH, DEV, ROOT, RUN, VENDORED, digest, licence_of, pinned

# Licences that ask for nothing but their notice, or for their own source alone; the GPL is not among them.
PERMITTED = re.compile(
    r"apache|bsd|mit|isc|python software foundation|psf|zlib|cc0|unlicense|public domain"
    r"|mozilla public license 2|mpl-2",
    re.IGNORECASE,
)


@pytest.mark.parametrize("lock", [RUN, DEV, BENCH], ids=lambda path: path.name)
def test_every_package_is_pinned_with_the_hashes_of_its_files(lock) -> None:
    found = pinned(lock)
    assert len(found) > 40
    assert len({one.name for one in found}) == len(found), "none twice"
    assert all(one.hashes for one in found)


def test_locks_agree_with_each_other() -> None:
    versions: dict[str, str] = {}
    for lock in (RUN, DEV, BENCH):
        for one in pinned(lock):
            assert versions.setdefault(one.name, one.version) == one.version, f"{lock.name}: {one.name}"


def test_what_the_project_asks_for_is_locked_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {"run": (project["dependencies"], RUN)} | {
        extra: (asked, BENCH if extra == "bench" else RUN if extra == "build" else DEV)
        for extra, asked in project["optional-dependencies"].items()
    }
    for extra, (asked, lock) in wanted.items():
        locked = {one.name: one.version for one in pinned(lock)}
        for text in asked:
            need = Requirement(text)
            name = re.sub(r"[-_.]+", "-", need.name).lower()
            assert name in locked, f"{extra}: {text} is not in {lock.name}"
            assert need.specifier.contains(locked[name], prereleases=True), f"{extra}: {text}, locked {locked[name]}"


def test_what_runs_has_a_licence_that_is_permitted() -> None:
    stated = {one.name: licence_of(one.name) for one in pinned(RUN)}
    installed = {name: licence for name, licence in stated.items() if licence}
    assert len(installed) > 40
    for name, licence in installed.items():
        assert PERMITTED.search(licence), f"{name}: {licence}"
        assert not re.search(r"\b(A?GPL|SSPL)", licence.replace("LGPL", "")), f"{name}: {licence}"


def test_what_is_vendored_is_what_is_on_record() -> None:
    for one in VENDORED:
        assert digest(one.path) == one.sha256, one.path
    known = {one.path for one in VENDORED}
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "sim" / "report").rglob("vendor/*.js")}
    assert found == known


def test_the_bill_of_materials_is_what_its_schema_asks_for_and_lists_everything() -> None:
    text = bill()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert bill() == text, "equal locks give equal bytes"
    listed = {one["name"] for one in json.loads(text)["components"]}
    assert {one.name for lock in (RUN, DEV, BENCH) for one in pinned(lock)} | {"echarts"} == listed
    scopes = {one["name"]: one["scope"] for one in json.loads(text)["components"]}
    assert all(scopes[one.name] == "required" for one in pinned(RUN))
    assert scopes["pytest"] == "excluded"
