"""The feed's commands as a new user meets them: help, quick starts, one document, one line for each wrong input."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from feed_bundles import drawn_bundle

from exchange_router import main, policy_command
from exchange_router.bundle_files import write_bundle
from exchange_router.lazy_commands import Place
from exchange_router.live_centre import CentreSpec, centre_signers
from exchange_router.main import status
from feed.bundle.documents import GuardsDocument
from feed.server.running import bound
from router_core.errors import BadInputError

PLACES = [*main.COMMANDS.items(), *policy_command.VERBS.items()]


@pytest.mark.parametrize(("name", "place"), PLACES, ids=lambda one: one if isinstance(one, str) else "")
def test_the_list_of_commands_says_what_the_command_itself_says(name: str, place: Place) -> None:
    command = place.load(name)
    assert command.name == name or isinstance(command, typer.core.TyperGroup)
    assert command.help.split("\n\n")[0].replace("\n", " ") == place.help
    assert len(place.help.split("  ")) == 2


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["policy", "--help"], ["policy", "key", "--help"]])
def test_help_and_version_load_no_solver_and_no_frame_of_the_web(words: list[str]) -> None:
    """What takes time to load: whoever asks for a version must not wait for it."""
    told = (
        "import sys; from exchange_router.main import status; code = status(sys.argv[1:]); "
        "print(*sorted({'numpy', 'scipy', 'numba', 'sklearn', 'fastapi', 'simpy', 'polars', 'pyarrow'} "
        "& set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", told, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == []


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_ROUTER_LANG", "en")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys, a trust file, a bundle that one of them has signed, tokens, and a file that is none of these."""
    folder = tmp_path_factory.mktemp("desk")
    keys: list[str] = []
    for name, algorithm in (("one", "sm2-sm3"), ("two", "ed25519")):
        assert status(["policy", "key", "new", "--algorithm", algorithm, "--out", str(folder / name)]) == 0
        keys += ["--key", str(folder / f"{name}.pub")]
    trust = ["policy", "trust", "new", *keys, "--threshold", "2", "--out", str(folder / "trust.json")]
    assert status([*trust, "--valid-from", "2000-01-01", "--valid-days", "36000"]) == 0
    write_bundle(folder / "week.bundle", drawn_bundle("toy", 1))
    sign = ["policy", "sign", str(folder / "week.bundle"), "--key", f"file:{folder / 'one'}"]
    assert status([*sign, "--out", str(folder / "week.bundle")]) == 0
    token = ["policy", "token", "--file", str(folder / "tokens.json"), "--name", "boss", "--role", "admin"]
    assert status([*token, "--out", str(folder / "boss.token")]) == 0
    (folder / "other").write_text("no such file")
    (folder / "other").chmod(0o600)
    (folder / "folder").mkdir()
    return folder


WRONG = {
    "build, no brain file": (2, "policy build --prepared {d}/gone --out {d}/x", "gone: No such file"),
    "build, another kind of file": (2, "policy build --prepared {d}/week.bundle --out {d}/x", "must hold brain.json"),
    "check, no bundle": (2, "policy check {d}/gone", "gone: No such file"),
    "check, another kind of file": (1, "policy check {d}/other", "malformed: "),
    "check, another scenario": (
        2,
        "policy check {d}/week.bundle --scenario jiangxi-neighbours",
        "--scenario: must have",
    ),
    "show, nobody": (1, "policy show {d}/week.bundle --scope nobody", "nobody"),
    "diff, another kind of file": (1, "policy diff {d}/week.bundle {d}/other", "other"),
    "export, into a file": (2, "policy export {d}/week.bundle --documents {d}/other", "other"),
    "sign, no key": (2, "policy sign {d}/week.bundle --key file:{d}/gone --out {d}/x", "gone"),
    "sign, no key's file": (2, "policy sign {d}/week.bundle --key file:{d}/other --out {d}/x", "private key: must be"),
    "sign, a key that others read": (2, "policy sign {d}/week.bundle --key file:{d}/one.pub --out {d}/x", "chmod 600"),
    "sign, onto a folder": (2, "policy sign {d}/week.bundle --key file:{d}/two --out {d}/folder", "Is a directory"),
    "verify, one signature of two": (1, "policy verify {d}/week.bundle --trust {d}/trust.json", "next: let further"),
    "verify, no trust file": (2, "policy verify {d}/week.bundle --trust {d}/other", "trust file"),
    "key, a second time": (2, "policy key new --out {d}/one", "must be a new one"),
    "trust, a private key": (2, "policy trust new --key {d}/one --threshold 1 --out {d}/x", "is a private key"),
    "trust, a threshold that nobody reaches": (
        2,
        "policy trust new --key {d}/one.pub --threshold 2 --out {d}/x",
        "threshold: must be at most",
    ),
    "accept, no proposal": (1, "policy trust accept {d}/trust.json {d}/other", "malformed"),
    "token, a second time": (2, "policy token --file {d}/tokens.json --name boss --role admin", "must be unique"),
    "token, out over a file": (
        2,
        "policy token --file {d}/tokens.json --name chief --role admin --out {d}/boss.token",
        "must be a new one",
    ),
    "rollback, soft after hard": (
        2,
        "policy rollback {d}/week.bundle --epoch 900000 --soft-hours 48 --hard-days 1 --out {d}/x",
        "--soft-hours: must be at most",
    ),
    "rollback, a time that UTC has not": (
        2,
        "policy rollback {d}/week.bundle --epoch 900000 --valid-from 0001-01-01 --out {d}/x",
        "--valid-from: must lie",
    ),
    "rerun, no recording": (2, "policy rerun {d}/other --prepared {d}/other", "must begin as a recording"),
    "serve, no trust": (
        2,
        "serve --state {d}/x --trust {d}/gone --scenario toy --insecure-loopback",
        "gone",
    ),
    "serve, tokens of nobody": (
        2,
        "serve --state {d}/x --trust {d}/trust.json --scenario toy --tokens {d}/other",
        "other",
    ),
    "agent, a token that others read": (
        2,
        "agent --state {d}/x --scope west-tax-1 --scenario toy --server http://127.0.0.1:1 --trust {d}/trust.json "
        "--token-file {d}/one.pub --once",
        "chmod 600",
    ),
    "agent, a certificate without TLS": (
        2,
        "agent --state {d}/x --scope west-tax-1 --scenario toy --server http://127.0.0.1:1 --trust {d}/trust.json "
        "--tls-cert {d}/one.pub --tls-key {d}/one --once",
        "must be https",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gets_one_line_and_changes_nothing(desk: Path, case: str, capsys) -> None:
    code, line, told = WRONG[case]
    before = {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()}
    words = line.format(d=desk).split()
    assert status(words if words[0] == "serve" else [*words, "--json"]) == code
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()} == before
    for secret in ("one", "two", "boss.token"):
        lines = [one for one in (desk / secret).read_text().splitlines() if "-----" not in one]
        assert not any(one in error for one in lines if one)


@pytest.mark.parametrize("place", ["fsync", "write"])
def test_a_disk_that_is_full_leaves_the_old_file(desk: Path, capsys, monkeypatch, place: str) -> None:
    bundle = desk / "week.bundle"
    before = bundle.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync" if place == "fsync" else "fdopen", full)
    words = ["policy", "rollback", str(bundle), "--epoch", "900000", "--out", str(bundle), "--json"]
    assert status(words) == 2
    monkeypatch.undo()
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err == f"exchange-router: {bundle}: No space left on device\n"
    assert bundle.read_bytes() == before
    assert not list(desk.glob(".*"))


@pytest.mark.parametrize(
    "line",
    [
        "policy key show {d}/one",
        "policy trust show {d}/trust.json",
        "policy show {d}/week.bundle",
        "policy diff {d}/week.bundle {d}/week.bundle",
        "policy export {d}/week.bundle --nifi {t}/nifi --scope west-tax-1",
        "policy rollback {d}/week.bundle --epoch 900000 --out {t}/back.bundle",
        "policy sign {d}/week.bundle --key file:{d}/two --out {t}/signed.bundle",
        "policy schema --out {t}/schema",
        "policy token --file {t}/tokens.json --name x --role reader --out {t}/x.token",
        "policy check {d}/week.bundle --top 1",
    ],
)
def test_with_json_stdout_is_one_document(desk: Path, tmp_path: Path, line: str, capsys) -> None:
    code = status([*line.format(d=desk, t=tmp_path).split(), "--json"])
    assert code in ((0, 1) if "check" in line else (0,))
    assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_a_port_that_is_taken_is_told_in_one_line(desk: Path, tmp_path: Path, capsys) -> None:
    with bound("127.0.0.1", 0) as line:
        listen = f"127.0.0.1:{line.getsockname()[1]}"
        words = ["serve", "--state", str(tmp_path / "state"), "--trust", str(desk / "trust.json"), "--scenario", "toy"]
        assert status([*words, "--listen", listen, "--insecure-loopback"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"exchange-router: --listen: must be a free address of this machine (got '{listen}: ")


@pytest.mark.parametrize(("keys", "counted"), [(["one"], 1), (["one", "one"], 1), (["one", "two"], 2)])
def test_a_centre_with_too_few_keys_says_so_before_it_begins(desk: Path, keys: list[str], counted: int) -> None:
    guards = GuardsDocument(hold_ns_max=0, moved_share_max=1.0, reachable_share_min=0.0)
    specs = tuple(f"file:{desk / key}" for key in keys)
    spec = CentreSpec("toy", desk / "other", "static", 0, specs, guards, trust=(desk / "trust.json").read_bytes())
    if counted == 2:
        assert len(centre_signers(spec)) == 2
        return
    with pytest.raises(BadInputError, match=f"--key: must name 2 keys .*{counted} of {len(keys)}"):
        centre_signers(spec)
