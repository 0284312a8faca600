"""The page for operators, `docs/feed.md`: every command of it, in order, as a new user types them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed_pages import User, blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "feed.md"


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    for tool in ("curl", "openssl", "sh"):
        if shutil.which(tool) is None:
            pytest.skip(f"the page uses {tool}, which this machine has not")
    one = User(tmp_path)
    yield one
    one.end()


def test_the_page_leads_from_nothing_to_a_running_feed(user: User) -> None:
    page = blocks(PAGE)

    user.types(*page["A brain, keys, trust"])
    assert {user.file(name).stat().st_mode & 0o777 for name in ("sm2.key", "ed25519.key")} == {0o600}
    trust = json.loads(user.file("trust.json").read_text())
    assert (trust["threshold"], len(trust["keys"])) == (2, 2)

    told = user.types(*page["A policy"])
    assert "Passed" in told
    assert "week.bundle: accepted" in told

    told = user.types(*page["The server"])
    assert '"status":"ready"' in told
    assert "exchange-router: " not in user.file("server.log").read_text()
    secrets = [user.file(f"{name}.token").read_text().strip() for name in ("operator", "west")]

    first, task = page["A front-end"]
    told = user.types(first)
    rollout = json.loads(told[told.index('{"epoch"') :])
    assert (rollout["epoch"], rollout["stage"], rollout["acked"], rollout["halted"]) == (1, "done", 1, None)
    assert user.file("lookup/routes.csv").read_text().startswith("key,value\nprovince/0,65536:west>")
    assert user.file("lookup/names.csv").read_text().startswith("key,value\n")
    told = user.types(task)
    order = json.loads(told[told.index('{"attempt"') : told.index("}", told.index('{"attempt"')) + 1])
    assert (order["task"], order["target"], order["epoch"]) == ("0042", "province-data-1", 1)
    assert (order["route"][0], order["route"][-1]) == ("west-tax-1", "province-data-1")
    assert user.status()["tasks"] == {"delivered": 1}

    start, back, by_hand, rerun = page["The brain at work"]
    user.types(start)
    assert user.status()["active"]["epoch"] == 2
    told = user.types(back)
    assert '"epoch":3' in told
    assert '{"paused":false}' in told
    assert "pinned        │ 2" in told
    found = user.status()
    assert (found["active"]["epoch"], found["pinned"], found["kept"][0]["epoch"]) == (3, None, 3)
    assert '"epoch":9' in user.types(by_hand)
    told = user.types(rerun)
    assert re.search(r"first difference +│ none", told)
    assert len(list(user.file("shadows").iterdir())) == 1

    user.types(*page["Keys change"])
    trust = json.loads(user.file("trust.json").read_text())
    assert (trust["version"], len(trust["keys"])) == (2, 2)
    assert user.file("trust.json.envelope.json").exists()

    told = user.types(*page["Certificates in place of tokens"])
    assert '{"status":"ok"}' in told
    assert user.status()["highest_epoch"] == 10
    assert json.loads(user.file("agent/trust.json").read_text())["version"] == 2

    kept = [path for path in user.file(".").rglob("*") if path.is_file() and path.suffix not in (".token", ".header")]
    for path in kept:
        data = path.read_bytes()
        assert not any(secret.encode() in data for secret in secrets), path


def test_every_block_of_the_page_is_run() -> None:
    assert {heading: len(found) for heading, found in blocks(PAGE).items() if found} == {
        "A brain, keys, trust": 1,
        "A policy": 1,
        "The server": 1,
        "A front-end": 2,
        "The brain at work": 4,
        "Keys change": 1,
        "Certificates in place of tokens": 1,
    }
