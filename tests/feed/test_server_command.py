"""`serve` as a process: it starts, serves, stops on SIGTERM at once though agents wait, and says what is wrong."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from feed_signing import signer, trust_of
from waiting import wait_until

from exchange_router.main import status
from feed.signing.trust import write_trust

RUN = "from exchange_router.main import run; run()"


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    write_trust(tmp_path / "trust.json", trust_of([signer(1)]))
    port = free_port()
    command = [sys.executable, "-c", RUN, "serve", "--state", str(tmp_path / "state"), "--scenario", "toy"]
    command += ["--trust", str(tmp_path / "trust.json"), "--listen", f"127.0.0.1:{port}", "--insecure-loopback"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
                break
            except httpx.TransportError:
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
        assert httpx.get(f"{url}/readyz").status_code == 503
        codes: list[int] = []
        poll = threading.Thread(
            target=lambda: codes.append(
                httpx.get(f"{url}/v1/bundles/national-platform?wait_s=50", timeout=60).status_code
            )
        )
        poll.start()
        wait_until(lambda: "long_polls 1.0" in httpx.get(f"{url}/metrics").text)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        poll.join(60)
    assert codes == [404]
    assert "Traceback" not in errors
    assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--listen", "nowhere"], "--listen: must be host:port"),
        ([], "exactly one of --client-ca"),
        (["--listen", "0.0.0.0:1", "--insecure-loopback"], "must be a loopback address"),
        (["--listen", "0.0.0.0:1", "--tokens", "t.json"], "tokens travel in the clear"),
        (["--tls-cert", "a.pem", "--insecure-loopback"], "must go with --tls-key"),
        (["--insecure-loopback"], "trust.json"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, capsys, options: list[str], told: str) -> None:
    base = ["serve", "--state", str(tmp_path / "state"), "--trust", str(tmp_path / "trust.json"), "--scenario", "toy"]
    assert status([*base, *options]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_a_token_is_told_once(tmp_path: Path, capsys) -> None:
    file = tmp_path / "tokens.json"
    assert status(["policy", "token", "--file", str(file), "--name", "boss", "--role", "admin", "--json"]) == 0
    assert '"token": "boss.' in capsys.readouterr().out
    assert file.stat().st_mode & 0o777 == 0o600
    assert status(["policy", "token", "--file", str(file), "--name", "x", "--role", "king"]) == 2
    assert status(["policy", "token", "--file", str(file), "--name", "x", "--role", "agent"]) == 2
