"""`agent` on the command line: a round against a server, status and pins, and what it says of wrong options."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from feed_agent import LOOSE, bundle, composer, content, packed, scopes, signers, some_scope

from exchange_router.main import status
from feed.bundle.manifest import etag_of
from feed.clock import SystemClock, utc_of
from feed.signing.trust import new_trust, trusted_key, write_trust
from feed.signing.verifiers import verifier_of

SCOPE = some_scope()


@pytest.fixture
def served(tmp_path):
    """A server with one policy that holds now, and a trust file for it; what it is told is kept."""
    now = utc_of(SystemClock().now_ns()).replace(microsecond=0)
    made = bundle(4, created=now, files=composer().compose(content(), LOOSE, now))
    verifiers = [verifier_of(one.algorithm, one.public_key) for one in signers()[:2]]
    keys = [trusted_key(one, now.replace(year=now.year - 1), now.replace(year=now.year + 1)) for one in verifiers]
    write_trust(tmp_path / "trust.json", new_trust(keys, 2))
    told: list[dict[str, object]] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            if not self.path.startswith(f"/v1/bundles/{SCOPE}"):
                self.send_error(404)
                return
            data = packed(made, SCOPE)
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.exchange-router.bundle")
            self.send_header("ETag", f'"{etag_of(made)}"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", told, made
    server.shutdown()
    thread.join()
    server.server_close()


def run(tmp_path, url, *more):
    state, trust = str(tmp_path / "state"), str(tmp_path / "trust.json")
    given = ["--state", state, "--scope", SCOPE, "--server", url, "--trust", trust, "--scenario", "toy", "--once"]
    return status(["agent", *given, "--json", *more])


def test_a_round_status_and_pins(served, tmp_path, capsys):
    url, told, made = served
    assert run(tmp_path, url, "--nifi", str(tmp_path / "nifi" / "routes.csv"), "--tasks", str(tmp_path / "tasks")) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["active"] == {"epoch": 4, "etag": etag_of(made)}
    assert (shown["layer"], shown["alarms"], shown["reports_to_tell"]) == ("dynamic", [], 0)
    assert [report["result"] for report in told if "result" in report] == ["ack"]
    assert (tmp_path / "nifi" / "routes.csv").read_bytes().startswith(b"key,value\n")
    state = str(tmp_path / "state")
    assert status(["agent", "--state", state, "--status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == shown
    assert status(["agent", "--state", state, "--pin", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pinned"] == 4
    assert status(["agent", "--state", state, "--pin", "3"]) == 2
    assert "must be one of those kept here" in capsys.readouterr().err
    assert status(["agent", "--state", state, "--unpin", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pinned"] is None
    assert status(["agent", "--state", state, "--status"]) == 0
    assert etag_of(made) in capsys.readouterr().out


def test_a_state_folder_is_of_one_front_end(served, tmp_path, capsys):
    url, _, _ = served
    assert run(tmp_path, url) == 0
    capsys.readouterr()
    other = next(name for name in scopes() if name != SCOPE)
    assert run(tmp_path, url, "--scope", other) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"--scope: must be {SCOPE}" in told
    assert run(tmp_path, url) == 0


def test_without_a_server_there_is_a_grave_alarm_and_exit_code_1(served, tmp_path, capsys):
    assert run(tmp_path, "http://127.0.0.1:1") == 1
    caught = capsys.readouterr()
    (alarm,) = json.loads(caught.out)["alarms"]
    assert (alarm["alarm"], "the server: ConnectError" in alarm["detail"]) == ("no-policy", True)
    assert status(["agent", "--state", str(tmp_path / "state"), "--status", "--json"]) == 1


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (["--status"], "state"),
        (["--pin", "1"], "--state"),
        (["--pin", "1", "--unpin"], "agent"),
        ([], "--scope"),
        (["--scope", "x", "--server", "http://127.0.0.1:1", "--trust", "gone.json", "--scenario", "toy"], "gone.json"),
        (["--scope", "x", "--server", "nowhere", "--trust", "t", "--scenario", "toy"], "--server"),
        (["--scope", "x", "--server", "http://h", "--trust", "t", "--scenario", "toy", "--tls-key", "k"], "--tls-cert"),
    ],
)
def test_wrong_options_are_named(tmp_path, capsys, options, place):
    assert status(["agent", "--state", str(tmp_path / "state"), *options]) == 2
    error = capsys.readouterr().err
    assert place in error
    assert error.count("\n") == 1
