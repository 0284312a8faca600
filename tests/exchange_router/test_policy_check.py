"""`policy check` as a user types it: exit codes, tables, JSON."""

from __future__ import annotations

import json

import pytest
from feed_bundles import GUARDS, VALID_FROM, bundle_of, drawn_bundle, network_of
from learnt_toy import learnt

from exchange_router.bundle_files import write_bundle
from exchange_router.main import status
from feed.bundle.compose import PolicyContent, compose
from feed.check.findings import Rule


@pytest.fixture(scope="module")
def learnt_bundle(tmp_path_factory):
    """What a week taught, as a bundle: it must pass with the forecast that it was planned by."""
    network, prepared = network_of("toy"), learnt()
    path = tmp_path_factory.mktemp("check") / "learnt.bundle"
    content = PolicyContent(prepared.plan, prepared.classes, {}, None)
    write_bundle(path, bundle_of(network, compose(network, content, GUARDS, VALID_FROM)))
    return path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "drawn.bundle"
    write_bundle(path, drawn_bundle("toy", 3))
    return path


def test_a_learnt_policy_passes(learnt_bundle, capsys):
    assert status(["policy", "check", str(learnt_bundle), "--active", str(learnt_bundle), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["refused"] is False
    assert document["scenario"] == "toy"
    assert document["notes"]


def test_a_refused_one_ends_with_1_and_says_what_to_do(drawn, learnt_bundle, capsys):
    # Its relations are of anybody to anybody, which the toy's catalogue does not permit.
    assert status(["policy", "check", str(drawn), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["refused"] is True
    assert {one["rule"] for one in document["findings"] if one["severity"] == "refuse"} <= {"relation", "pool"}
    assert status(["policy", "check", str(drawn), "--top", "2"]) == 1
    shown = capsys.readouterr().out
    assert "relation" in shown
    assert Rule.RELATION.next_en.split(",")[0] in " ".join(shown.split())


def test_what_is_allowed_must_be_allowable(drawn, capsys):
    assert status(["policy", "check", str(drawn), "--allow", "loop"]) == 2
    assert "--allow" in capsys.readouterr().err
    assert status(["policy", "check", str(drawn), "--allow", "nonsense"]) == 2
    assert status(["policy", "check", str(drawn), "--scenario", "jiangxi"]) == 2
    assert status(["policy", "check", str(drawn) + ".none"]) == 2
