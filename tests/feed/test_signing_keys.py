"""Keys in files and modules: who may read them, what is taken for one, and that nothing ever tells one."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import stat
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from feed_signing import NOW, ed25519_signer, pem_of, private_of, signer, told_of, trust_of

from exchange_router.main import status
from feed.refusals import RefusedBundleError
from feed.signing import signer_specs
from feed.signing.dsse import PAYLOAD_TYPE, sign, verify
from feed.signing.ed25519 import Ed25519Signer
from feed.signing.key_files import (
    new_key,
    read_public_half,
    read_signer,
    read_verifier,
    write_key,
    write_public_key,
)
from feed.signing.key_forms import PEM_BYTES_MAX, parse_private, parse_public, private_pem, public_pem
from feed.signing.signer import ALGORITHMS, Algorithm, Signer
from feed.signing.signer_specs import signer_from
from feed.signing.sm2 import Sm2Signer
from feed.signing.trust import read_trust
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError, ExchangeRouterError

SEEDS = {"sm2-sm3": 0, "ed25519": 1}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


def key_file(folder: Path, seed: int, name: str = "key") -> Path:
    made = signer(seed)
    write_key(folder / name, made.algorithm, private_of(seed), made.public_key)
    return folder / name


@pytest.mark.parametrize("mask", [0, 0o077])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_new_key_is_its_owners_alone_and_signs(tmp_path: Path, algorithm: Algorithm, mask: int) -> None:
    umask = os.umask(mask)
    try:
        verifier = new_key(algorithm, tmp_path / "key")
        write_public_key(tmp_path / "key.pub", verifier)
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "key.pub").stat().st_mode) == 0o644
    made = read_signer(tmp_path / "key")
    assert (made.algorithm, made.key_id) == (algorithm, verifier.key_id)
    assert verifier.verifies(b"m", made.sign(b"m"))
    assert read_verifier(tmp_path / "key.pub").key_id == verifier.key_id
    assert read_public_half(tmp_path / "key")[1]
    assert not read_public_half(tmp_path / "key.pub")[1]
    assert new_key(algorithm, tmp_path / "other").key_id != verifier.key_id


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    file = key_file(tmp_path, 1)
    before = file.read_bytes()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for place in (file, tmp_path / "dangling", tmp_path, tmp_path / "no folder" / "key"):
        with pytest.raises(BadInputError, match="must be a new one"):
            new_key("ed25519", place)
    assert file.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o666, 0o777, 0o4640])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    file = key_file(tmp_path, 1)
    file.chmod(mode)
    with pytest.raises(BadInputError, match="chmod 600"):
        read_signer(file)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_that_is_its_owners_alone_is_read(tmp_path: Path, mode: int) -> None:
    file = key_file(tmp_path, 1)
    file.chmod(mode)
    assert read_signer(file).key_id == ed25519_signer(1).key_id


def test_a_key_that_is_no_regular_file_of_its_own_is_refused(tmp_path: Path) -> None:
    file = key_file(tmp_path, 1)
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, rule in {
        "link": "symbolic link",
        ".": "regular file",
        "pipe": "regular file",
        "none": "can open",
    }.items():
        with pytest.raises(BadInputError, match=rule):
            read_signer(tmp_path / name)
    with pytest.raises(BadInputError, match="regular file"):
        read_signer(Path("/dev/null"))
    with pytest.raises(BadInputError, match="zero byte"):
        read_signer(tmp_path / "a\0b")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    file = key_file(tmp_path, 1)
    os.chown(file, 12_345, -1)
    with pytest.raises(BadInputError, match="owner"):
        read_signer(file)


def test_a_public_key_or_trust_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    write_public_key(tmp_path / "pub", verifier_of("ed25519", ed25519_signer(1).public_key))
    for mode in (0o664, 0o646):
        (tmp_path / "pub").chmod(mode)
        for read in (read_verifier, read_trust):
            with pytest.raises(BadInputError, match="chmod 644"):
                read(tmp_path / "pub")
    (tmp_path / "pub").chmod(0o444)
    assert read_verifier(tmp_path / "pub").key_id == ed25519_signer(1).key_id


def pem(label: str, der: bytes) -> bytes:
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label.encode(), b64encode(der), label.encode())


SM2_PEM, ED_PEM = pem_of(signer(0), 0), pem_of(signer(1), 1)
NO_KEYS = {
    "empty": b"",
    "text": b"a password, perhaps\n",
    "public": public_pem("ed25519", ed25519_signer(1).public_key),
    "another-label": ED_PEM.replace(b"PRIVATE KEY", b"EC PRIVATE KEY"),
    "with-passphrase": ED_PEM.replace(b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"),
    "labels-differ": ED_PEM.replace(b"END PRIVATE", b"END PUBLIC"),
    "two-blocks": ED_PEM * 2,
    "something-before": b"x\n" + ED_PEM,
    "something-after": ED_PEM + b"x\n",
    "cut-off": SM2_PEM[:100],
    "no-base64": pem("PRIVATE KEY", b"").replace(b"\n\n", b"\n====\n"),
    "der-longer": pem("PRIVATE KEY", bytes(200)),
    "der-other": pem("PRIVATE KEY", bytes(48)),
    "sm2-without-public": pem("PRIVATE KEY", bytes.fromhex("302e0201003013") + bytes(60)),
    "sm2-zero": private_pem("sm2-sm3", bytes(32), signer(0).public_key),
    "sm2-of-another": private_pem("sm2-sm3", private_of(0), signer(2).public_key),
    "sm2-no-point": private_pem("sm2-sm3", private_of(0), bytes(64)),
    "not-ascii": ED_PEM.replace(b"\n", "，\n".encode(), 1),
    "long": ED_PEM + b"\n" * PEM_BYTES_MAX,
}


@pytest.mark.parametrize("text", NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_private_key_is_refused_by_file(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(text)
    file.chmod(0o600)
    with pytest.raises(BadInputError) as raised:
        read_signer(file)
    assert str(file) in str(raised.value)


def test_line_ends_of_windows_do_no_harm() -> None:
    assert parse_private(SM2_PEM.replace(b"\n", b"\r\n")) == ("sm2-sm3", private_of(0), signer(0).public_key)
    assert parse_private(ED_PEM) == ("ed25519", private_of(1), b"")
    public = public_pem("sm2-sm3", signer(0).public_key)
    assert parse_public(public.replace(b"\n", b"\r\n")) == ("sm2-sm3", signer(0).public_key)


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
def test_a_key_has_one_text(seed: int) -> None:
    """No letter can be another one: neither in the frame, nor in the bits of base64 that no byte takes."""
    made = signer(seed)
    for text, parse in (
        (pem_of(made, seed), parse_private),
        (public_pem(made.algorithm, made.public_key), parse_public),
    ):
        whole = parse(text)
        for place, bit in product(range(len(text)), range(7)):
            altered = text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :]
            try:
                found = parse(altered)
            except ValueError:
                continue
            assert found != whole, altered


class SoftModule:
    """What a maker of a hardware module would write, around a key in memory."""

    def __init__(self, inner: Signer, **lies: Any) -> None:
        self._inner = inner
        self._lies = lies

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["_lies"].get(name, getattr(self.__dict__["_inner"], name))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("site_of_the_tests")
    module.asked = []  # type: ignore[attr-defined]

    def token(argument: str) -> Signer:
        module.asked.append(argument)
        return SoftModule(signer(0))  # type: ignore[return-value]

    def locked(argument: str) -> Signer:
        raise RuntimeError("PIN 123456 is wrong for " + argument)

    module.token, module.locked = token, locked  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "site_of_the_tests", module)
    return module


def test_a_module_of_the_sites_own_signs(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = signer_from("module:site_of_the_tests:token:slot 3:label")
    assert verify(sign(b"x", PAYLOAD_TYPE, [made]), PAYLOAD_TYPE, trust_of([signer(0)]), NOW) == b"x"
    signer_from("module:site_of_the_tests:token")
    entry = SimpleNamespace(name="token", load=lambda: site.token)
    monkeypatch.setattr(
        signer_specs, "entry_points", lambda group, name=None: [entry] if name in (None, "token") else []
    )
    signer_from("entry:token:slot 4")
    assert site.asked == ["slot 3:label", "", "slot 4"]
    with pytest.raises(BadInputError, match=r"installed entry point of exchange_router\.signers \(got 'token'\)"):
        signer_from("entry:other")


def test_a_key_file_is_named_by_its_path(tmp_path: Path) -> None:
    assert signer_from(f"file:{key_file(tmp_path, 1)}").key_id == ed25519_signer(1).key_id


@pytest.mark.parametrize(
    "spec", ["", "key", "/etc/key", "FILE:key", "module:", "module:a", "module:a:", "entry:", "x:y"]
)
def test_a_specification_that_names_nothing_is_refused(spec: str) -> None:
    with pytest.raises(BadInputError, match="file:PATH"):
        signer_from(spec)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("module:no_such_module_here:f", "ModuleNotFoundError"),
        ("module:site_of_the_tests:none", "AttributeError"),
        ("module:site_of_the_tests:locked:slot", "RuntimeError"),
        ("module:site_of_the_tests:asked", "TypeError"),
    ],
)
@pytest.mark.usefixtures("site")
def test_a_module_that_fails_is_named_and_its_words_are_not(spec: str, told: str) -> None:
    with pytest.raises(BadInputError) as raised:
        signer_from(spec)
    text = "".join(traceback.format_exception(raised.value))
    assert told in str(raised.value)
    assert "123456" not in text


@pytest.mark.parametrize(
    "lies",
    [{"algorithm": "rsa"}, {"key_id": "0" * 64}, {"public_key": b"x"}, {"public_key": signer(2).public_key}],
    ids=["algorithm", "name", "no-key", "another-key"],
)
def test_a_module_that_is_no_signer_is_refused(site: Any, lies: dict[str, Any]) -> None:
    site.token = lambda argument: SoftModule(signer(0), **lies)
    with pytest.raises(BadInputError, match="signer module:site_of_the_tests:token"):
        signer_from("module:site_of_the_tests:token")


def test_a_module_that_signs_in_another_form_signs_nothing(site: Any) -> None:
    for wrong in (lambda message: b"DER, perhaps", lambda message: signer(2).sign(message), lambda message: bytes(64)):
        site.token = lambda argument, wrong=wrong: SoftModule(signer(0), sign=wrong)
        with pytest.raises(BadInputError, match="raw signatures"):
            sign(b"x", PAYLOAD_TYPE, [signer_from("module:site_of_the_tests:token")])


def failures(folder: Path, seed: int) -> list[Callable[[], object]]:
    """What goes wrong with a private key in a file or in hand, one way each."""
    file, made, private = key_file(folder, seed), signer(seed), private_of(seed)
    text, hex_key = file.read_text(), private.hex()

    def spoilt(content: str, mode: int = 0o600) -> Path:
        path = folder / f"spoilt-{len(list(folder.iterdir()))}"
        path.write_text(content)
        path.chmod(mode)
        return path

    texts = [text[:place] + "*" + text[place + 1 :] for place in range(0, len(text), 9)]
    texts += [text[:-30], text.replace("PRIVATE KEY", "RSA PRIVATE KEY"), text * 2, hex_key, private.decode("latin-1")]
    files = [spoilt(content) for content in texts] + [spoilt(text, 0o640)]
    fields = json.loads((folder / "trust.json").read_text())
    fields["keys"][0]["public_key"] = hex_key
    pasted = spoilt(json.dumps(fields))
    more = spoilt(json.dumps(fields | {"private_key": hex_key}))
    acts: list[Callable[[], object]] = [
        *(lambda read=read, path=path: read(path) for path in files for read in (read_signer, read_public_half)),
        lambda: read_verifier(file),
        lambda: read_trust(file),
        lambda: read_trust(pasted),
        lambda: read_trust(more),
        lambda: write_key(file, made.algorithm, private, made.public_key),
        lambda: signer_from(str(file)),
        lambda: signer_from(hex_key),
        lambda: signer_from(f"module:{hex_key}"),
        lambda: Sm2Signer(private, signer(4).public_key),
        lambda: Sm2Signer(private[:31], signer(0).public_key),
        lambda: Sm2Signer(private + b"\0", signer(0).public_key),
        lambda: Ed25519Signer(private[:31]),
        lambda: verifier_of("sm2-sm3", private),
        lambda: verifier_of("sm2-sm3", private * 2),
        lambda: verifier_of("ed25519", private * 2),
        lambda: sign(b"x", PAYLOAD_TYPE, [made, made]),
        lambda: sign(b"x", PAYLOAD_TYPE, [SoftModule(made, sign=lambda message: private)]),  # type: ignore[list-item]
        lambda: verify(text.encode(), PAYLOAD_TYPE, trust_of([made]), NOW),
        lambda: pickle.dumps(made),
        lambda: copy.copy(made),
        lambda: copy.deepcopy(made),
        lambda: json.dumps({"signer": made}),
        lambda: vars(made),
        lambda: made.sign("text"),  # type: ignore[arg-type]
    ]
    return acts


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
def test_nothing_that_fails_tells_a_key(
    tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "trust.json").write_text(json.dumps(json.loads(trust_of([signer(seed)]).document.model_dump_json())))
    private, text = private_of(seed), pem_of(signer(seed), seed)
    acts = failures(tmp_path, seed)
    told = []
    for number, act in enumerate(acts):
        with pytest.raises((ExchangeRouterError, TypeError)) as raised:
            print(number, act())
        error = raised.value
        told += [str(error), repr(error), "".join(traceback.format_exception(error))]
    made = signer(seed)
    told += [repr(made), str(made), f"{made!r:>100}", repr([made]), repr(verifier_of(made.algorithm, made.public_key))]
    captured = capfd.readouterr()
    told += [captured.out, captured.err, caplog.text]
    for piece in told:
        # The lines of this test that a traceback quotes hold no key.
        assert told_of(piece, private, text) is None, piece


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
def test_the_command_line_tells_no_key(tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    file = key_file(tmp_path, seed)
    text, private = file.read_bytes(), private_of(seed)
    open_file = tmp_path / "open"
    open_file.write_bytes(text)
    open_file.chmod(0o644)
    out = str(tmp_path / "out")
    for arguments, code in (
        (["key", "show", str(file)], 0),
        (["key", "show", str(file), "--json"], 0),
        (["key", "show", str(open_file)], 2),
        (["key", "new", "--out", str(file)], 2),
        (["trust", "new", "--key", str(file), "--threshold", "1", "--out", out], 2),
        (["trust", "show", str(file)], 2),
        (["trust", "accept", str(file), str(file)], 2),
        (["trust", "sign", str(file), "--sign", f"file:{file}"], 1),
        (["trust", "sign", str(file), "--sign", private.hex()], 1),
        (["sign", str(file), "--key", f"file:{file}", "--out", out], 1),
        (["sign", str(file), "--key", f"file:{open_file}", "--out", out], 1),
        (["verify", str(file), "--trust", str(file)], 2),
    ):
        assert status(["policy", *arguments]) == code, arguments
    captured = capfd.readouterr()
    assert captured.err.count("exchange-router: ") == 10
    assert told_of(captured.out + captured.err, private, text) is None


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
def test_the_watch_for_keys_sees_one(seed: int) -> None:
    private, text = private_of(seed), pem_of(signer(seed), seed)
    for leak in (
        private.hex(),
        private.hex().upper(),
        text.decode(),
        repr(private),
        str(int.from_bytes(private, "big")),
    ):
        assert told_of(f"error: {leak}!", private, text)
    public = public_pem(signer(seed).algorithm, signer(seed).public_key).decode()
    assert told_of(public + signer(seed).key_id + signer(seed).public_key.hex(), private, text) is None


def test_refusals_of_envelopes_tell_no_payload() -> None:
    envelope = sign(b"token=hunter2", PAYLOAD_TYPE, [signer(1)])
    with pytest.raises(RefusedBundleError) as raised:
        verify(envelope, PAYLOAD_TYPE, trust_of([signer(3)]), NOW)
    assert "hunter2" not in str(raised.value)
