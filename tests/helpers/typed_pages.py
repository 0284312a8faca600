"""Pages whose commands are typed as they stand: their blocks, and a user with a shell in an empty folder."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

PORT = "8443"


def blocks(page: Path) -> dict[str, list[str]]:
    """Blocks of commands by the heading that they stand under."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        found[heading] = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return found


class User:
    """A shell in an empty folder, in which `exchange-router` is this checkout's, and the port is one that is free."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        tool = folder / "bin" / "exchange-router"
        tool.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from exchange_router.main import run; run()" "$@"\n')
        tool.chmod(0o755)
        with socket.socket() as line:
            line.bind(("127.0.0.1", 0))
            self.port = str(line.getsockname()[1])

    def types(self, block: str, timeout_s: float = 60) -> str:
        """Run a block as it stands; any command that fails fails the test."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        about = os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "EXCHANGE_ROUTER_LANG": "en"}
        out = self.folder / "out.txt"
        # Into files, not pipes: a server that goes on behind would hold a pipe open.
        with out.open("w+") as told, (self.folder / "err.txt").open("w+") as wrong:
            lines = "set -e\n" + block.replace(PORT, self.port)
            done = subprocess.run(
                ["sh", "-c", lines], cwd=work, env=about, stdout=told, stderr=wrong, timeout=timeout_s, check=False
            )
            wrong.seek(0)
            log = work / "server.log"
            assert done.returncode == 0, f"{block}\n{wrong.read()}\n{log.read_text() if log.exists() else ''}"
        return out.read_text(encoding="utf-8")

    def file(self, name: str) -> Path:
        return self.folder / "work" / name

    def status(self) -> dict[str, Any]:
        """What the agent says of itself."""
        found: dict[str, Any] = json.loads(self.types("exchange-router agent --state agent --status --json"))
        return found

    def end(self) -> None:
        """End the server that is left, if one is, by its number."""
        if self.file("server.pid").exists():
            try:
                os.kill(int(self.file("server.pid").read_text()), signal.SIGTERM)
            except ProcessLookupError:
                return
