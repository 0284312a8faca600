"""`policy key`, `trust`, `sign` and `verify` as key holders and readers of bundles meet them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from feed_bundles import drawn_bundle, network_of

from exchange_router.bundle_files import read_bundle, write_bundle
from exchange_router.main import status
from feed.agent.trust_store import ENVELOPE_SUFFIX as READERS_SUFFIX
from feed.bundle.bundle import Bundle
from feed.bundle.manifest import etag_of
from feed.bundle.package import package
from feed.refusals import Refusal
from feed.signing.key_files import read_signer
from feed.signing.rotation import rotated
from feed.signing.trust import read_trust

BUNDLE = drawn_bundle("toy", 1)
MANIFEST = BUNDLE.manifest
BEGIN = "2000-01-01T00:00Z"
IN_TIME = (MANIFEST.valid_from + timedelta(seconds=1)).isoformat()


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def act(*words: object, code: int = 0) -> dict[str, Any]:
        assert status(["policy", *map(str, words), "--json"]) == code, capsys.readouterr().err
        captured = capsys.readouterr()
        document = json.loads(captured.out) if captured.out else {}
        return document | {"stderr": captured.err}

    return act


@pytest.fixture
def desk(tmp_path: Path, run) -> Path:
    """Three keys, a trust file of two of three, and a bundle."""
    for name, algorithm in (("one", "sm2-sm3"), ("two", "ed25519"), ("three", "sm2-sm3"), ("four", "ed25519")):
        run("key", "new", "--algorithm", algorithm, "--out", tmp_path / name)
    keys = [word for name in ("one", "two", "three") for word in ("--key", tmp_path / f"{name}.pub")]
    trust = tmp_path / "trust.json"
    run("trust", "new", *keys, "--threshold", 2, "--valid-from", BEGIN, "--valid-days", 36_000, "--out", trust)
    write_bundle(tmp_path / "week.bundle", BUNDLE)
    return tmp_path


def name_of(desk: Path, key: str) -> str:
    return read_signer(desk / key).key_id


def test_a_bundle_is_signed_by_one_holder_after_the_other_and_accepted(desk: Path, run) -> None:
    bundle, trust = desk / "week.bundle", desk / "trust.json"
    verify = ("verify", bundle, "--trust", trust, "--at", IN_TIME)
    assert run(*verify, code=1)["refusal"] == Refusal.UNSIGNED
    first = run("sign", bundle, "--key", f"file:{desk / 'one'}", "--out", bundle)
    assert first["signed_by"] == [name_of(desk, "one")]
    assert run(*verify, code=1)["refusal"] == Refusal.BELOW_THRESHOLD
    run("sign", bundle, "--key", f"file:{desk / 'two'}", "--out", bundle)
    found = run(*verify, "--scenario", "toy")
    assert found["accepted"]
    assert found["topology_checked"]
    assert found["signed_by"] == sorted([name_of(desk, "one"), name_of(desk, "two")])
    assert found["etag"] == etag_of(BUNDLE) == first["etag"]
    assert read_bundle(bundle).files == BUNDLE.files


def test_both_holders_may_sign_at_once_and_a_package_is_verified_as_one(desk: Path, run) -> None:
    bundle, trust = desk / "week.bundle", desk / "trust.json"
    run("sign", bundle, "--key", f"file:{desk / 'one'}", "--key", f"file:{desk / 'three'}", "--out", bundle)
    network = network_of("toy")
    scope = network.node_name[int(network.endpoints[0])]
    part = desk / "part.bundle"
    write_bundle(part, package(read_bundle(bundle), scope))
    verify = ("verify", part, "--trust", trust, "--at", IN_TIME)
    assert run(*verify, "--scenario", "toy", "--scope", scope)["accepted"]
    assert run(*verify, code=1)["refusal"] == Refusal.ALTERED  # as a whole bundle it lacks files
    other = next(
        network.node_name[int(node)]
        for node in network.endpoints
        if network.node_group[node] != network.node_group[network.endpoints[0]]
    )
    assert run(*verify, "--scenario", "toy", "--scope", other, code=1)["refusal"] == Refusal.WRONG_SCOPE
    assert "--scope" in run(*verify, "--scenario", "toy", "--scope", "nobody", code=2)["stderr"]
    assert "--scope" in run(*verify, "--scope", scope, code=2)["stderr"]


def altered(bundle: Bundle) -> Bundle:
    path = next(iter(bundle.files))
    return replace(bundle, files={**bundle.files, path: bundle.files[path] + b" "})


@pytest.mark.parametrize(
    ("more", "change", "refusal"),
    [
        (["--at", IN_TIME], altered, Refusal.ALTERED),
        (["--at", (MANIFEST.valid_from - timedelta(hours=1)).isoformat()], None, Refusal.NOT_YET_VALID),
        (["--at", MANIFEST.hard_expiry.isoformat()], None, Refusal.EXPIRED),
        (["--at", "1999-12-31T23:59:59Z"], None, Refusal.UNKNOWN_KEY),
        (["--at", IN_TIME, "--scenario", "jiangxi"], None, Refusal.WRONG_TOPOLOGY),
    ],
    ids=lambda value: value.value if isinstance(value, Refusal) else "",
)
def test_a_refusal_is_told_with_what_to_do_next(desk: Path, run, more, change, refusal: Refusal) -> None:
    bundle = desk / "week.bundle"
    run("sign", bundle, "--key", f"file:{desk / 'one'}", "--key", f"file:{desk / 'two'}", "--out", bundle)
    if change is not None:
        write_bundle(bundle, change(read_bundle(bundle)))
    found = run("verify", bundle, "--trust", desk / "trust.json", *more, code=1)
    assert (found["accepted"], found["refusal"], found["next"]) == (False, refusal, refusal.next_en)
    assert found["stderr"].count("\n") == 1
    assert refusal.next_en in found["stderr"]


def test_a_key_that_nobody_trusts_and_a_forged_signature_are_refused(desk: Path, run) -> None:
    bundle, trust = desk / "week.bundle", desk / "trust.json"
    out = desk / "forged.bundle"
    run("sign", bundle, "--key", f"file:{desk / 'four'}", "--out", out)
    assert run("verify", out, "--trust", trust, "--at", IN_TIME, code=1)["refusal"] == Refusal.UNKNOWN_KEY
    signed = read_bundle(out)
    envelope = (signed.envelope_json or b"").replace(name_of(desk, "four").encode(), name_of(desk, "two").encode())
    write_bundle(out, replace(signed, envelope_json=envelope))
    assert run("verify", out, "--trust", trust, "--at", IN_TIME, code=1)["refusal"] == Refusal.BAD_SIGNATURE


def test_nobody_adds_a_signature_to_an_envelope_over_another_manifest(desk: Path, run) -> None:
    out = desk / "mixed.bundle"
    run("sign", desk / "week.bundle", "--key", f"file:{desk / 'one'}", "--out", out)
    other = drawn_bundle("toy", 2, epoch=2)
    write_bundle(out, replace(other, envelope_json=read_bundle(out).envelope_json))
    assert "altered" in run("sign", out, "--key", f"file:{desk / 'two'}", "--out", out, code=1)["stderr"]


def test_oversized_and_broken_files_are_refused(desk: Path, run) -> None:
    trust, broken = desk / "trust.json", desk / "broken.bundle"
    broken.write_bytes(b"PK, perhaps")
    assert run("verify", broken, "--trust", trust, code=1)["refusal"] == Refusal.MALFORMED
    with broken.open("wb") as file:
        file.truncate((64 << 20) + 1)
    assert run("verify", broken, "--trust", trust, code=1)["refusal"] == Refusal.OVERSIZED
    assert "--at" in run("verify", broken, "--trust", trust, "--at", "soon", code=2)["stderr"]
    run("verify", desk / "none.bundle", "--trust", trust, code=2)


def test_trust_is_rotated_by_old_keys_and_new_ones(desk: Path, run) -> None:
    trust, proposal = desk / "trust.json", desk / "next.json"
    before = read_trust(trust)
    words = ["--add", desk / "four.pub", "--remove", name_of(desk, "one")[:12], "--revoke", name_of(desk, "three")]
    times = ["--valid-from", BEGIN, "--valid-days", 36_000]
    found = run("trust", "rotate", trust, *words, *times, "--sign", f"file:{desk / 'one'}", "--out", proposal)
    assert (found["version"], found["threshold"]) == (2, 2)
    assert found["signatures"] == {name_of(desk, "one"): "unknown"}
    assert "below-threshold" in run("trust", "accept", trust, proposal, code=1)["stderr"]
    run("trust", "sign", proposal, "--sign", f"file:{desk / 'two'}")
    assert "below-threshold" in run("trust", "accept", trust, proposal, code=1)["stderr"]
    assert read_trust(trust).document == before.document
    shown = run("trust", "sign", proposal, "--sign", f"file:{desk / 'four'}")
    assert shown["signatures"][name_of(desk, "four")] == "good"
    assert run("trust", "show", proposal)["signatures"] == shown["signatures"]
    run("trust", "accept", trust, proposal)
    after = run("trust", "show", trust)
    assert {key["key_id"]: key["usable"] for key in after["keys"]} == {
        name_of(desk, "two"): True,
        name_of(desk, "three"): False,
        name_of(desk, "four"): True,
    }
    envelope = trust.with_name(trust.name + READERS_SUFFIX).read_bytes()
    assert rotated(before, trust.read_bytes(), envelope, MANIFEST.valid_from).version == 2
    assert "version" in run("trust", "accept", trust, proposal, code=2)["stderr"]


def test_rotation_refuses_what_leaves_no_trust(desk: Path, run) -> None:
    trust, sign = desk / "trust.json", ("--sign", f"file:{desk / 'one'}", "--out", desk / "next.json")
    one, two, three = (name_of(desk, key) for key in ("one", "two", "three"))
    for words, told in (
        (["--remove", one, "--remove", two], "threshold"),
        (["--remove", one, "--remove", two, "--remove", three], "--remove"),
        (["--remove", one[:7]], "8 digits"),
        (["--remove", name_of(desk, "four")], "trust file"),
        (["--revoke", one, "--add", desk / "one.pub"], "revoked"),
        (["--revoke", one, "--remove", one], "--revoke"),
        (["--threshold", 4], "threshold"),
    ):
        assert told in run("trust", "rotate", trust, *words, *sign, code=2)["stderr"], words
    assert not (desk / "next.json").exists()


def test_files_in_the_way_stay_as_they_are(desk: Path, run) -> None:
    for words in (
        ("key", "new", "--out", desk / "one"),
        ("key", "new", "--out", desk / "trust.json"),
        ("trust", "new", "--key", desk / "one.pub", "--threshold", 1, "--out", desk / "trust.json"),
    ):
        assert "new" in run(*words, code=2)["stderr"]
    (desk / "five.pub").write_text("in the way")
    run("key", "new", "--out", desk / "five", code=2)
    assert not (desk / "five").exists()
    assert "ed25519" in run("key", "new", "--algorithm", "rsa", "--out", desk / "six", code=2)["stderr"]


def test_tables_are_told_in_the_users_language(desk: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["policy", "verify", str(desk / "week.bundle"), "--trust", str(desk / "trust.json")]
    for language, told in (("en", Refusal.UNSIGNED.next_en), ("zh", Refusal.UNSIGNED.next_zh)):
        monkeypatch.setenv("EXCHANGE_ROUTER_LANG", language)
        assert status(words) == 1
        assert told in capsys.readouterr().out
    assert status(["policy", "trust", "show", str(desk / "trust.json")]) == 0
    assert "须有 2 个签名" in capsys.readouterr().out
