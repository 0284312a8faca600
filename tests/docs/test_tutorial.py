"""The tutorial: every command of it, in order, as a new user types them; and each step does what the page says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed_pages import User, blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
STEP_S = 300  # a limit for what hangs, not for what is slow


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    for tool in ("curl", "sh"):
        if shutil.which(tool) is None:
            pytest.skip(f"the page uses {tool}, which this machine has not")
    one = User(tmp_path)
    yield one
    one.end()


def test_the_tutorial_leads_from_nothing_to_a_tuned_signed_policy(user: User) -> None:
    steps = blocks(PAGE)
    assert [len(found) for found in steps.values()] == [1] * len(steps)
    told = {heading: user.types(found[0], STEP_S) for heading, found in steps.items()}

    platform = told["The platform: a scenario"]
    assert "0.800" in platform
    assert "0.496" in platform
    assert user.file("brain.html").exists()

    brains = ("ecmp", "static", "dynamic")
    metrics = {name: json.loads(user.file(f"day/{name}/metrics.json").read_text()) for name in brains}
    counts = [one["counts"] for one in metrics.values()]
    assert all(one["submitted"] == one["delivered"] > 0 for one in counts)
    assert user.file("day/report.html").exists()

    studies = {
        kind: json.loads(user.file(f"{kind}/study.json").read_text()) for kind in ("compare", "tune", "survive", "grow")
    }
    assert {kind: study["kind"] for kind, study in studies.items()} == {kind: kind for kind in studies}
    assert len(studies["compare"]["seeds"]) == 5
    for kind, study in studies.items():
        assert all(study["verdict"]["text"]), kind
        assert user.file(f"{kind}/report.html").exists()
    assert user.file("tune/winner.toml").read_text().count("[dynamic]") == 1
    assert user.file("tuned/dynamic/metrics.json").exists()

    policy = told["The policy: built, checked, signed"]
    assert "Passed" in policy
    assert "toy.bundle: accepted" in policy
    assert user.status()["active"]["epoch"] >= 1
    assert user.file("lookup/routes.csv").read_text().startswith("key,value\n")
