"""Somebody who may not: asks the server for what is not theirs, again and again, and must never get it."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import httpx

from swarm.context import Context
from swarm.keyring import MONITOR, secret, token
from swarm.wire import Asked

PAUSE_S = 40.0
REFUSED = frozenset({401, 403, 404, 429})


class Strangers:
    """Asks, by turns: nobody, a wrong secret, an agent for another's policy, and monitoring that would publish.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._draw = context.draw("strangers")

    async def ask(self) -> None:
        """Go on for ever."""
        while True:
            await asyncio.sleep(float(self._draw.uniform(0.5, 1.5)) * PAUSE_S)
            asked = self._wrong()
            try:
                found = await self._context.wire.call(asked)
            except httpx.HTTPError:
                continue
            if found.status not in REFUSED:
                self._context.journal.breaks("access", f"{asked.method} {asked.path} was answered {found.status}")

    def _wrong(self) -> Asked:
        scopes = self._context.scopes
        own, other = (int(one) for one in self._draw.choice(len(scopes), 2, replace=False))
        fetch = f"/v1/bundles/{quote(scopes[other], safe='')}"
        kinds = (
            ("GET", fetch, None, b""),
            ("GET", fetch, f"agent-{other}.{secret('another')}", b""),
            ("GET", fetch, token(f"agent-{own}"), b""),
            ("POST", "/v1/bundles", token(MONITOR), b"a bundle"),
            ("POST", "/v1/rollback", token(f"agent-{own}"), b'{"epoch": 1}'),
        )
        method, path, shown, body = kinds[int(self._draw.integers(len(kinds)))]
        headers = [(b"host", b"centre"), (b"content-type", b"application/json")]
        if shown is not None:
            headers.append((b"authorization", f"Bearer {shown}".encode()))
        headers.append((b"content-length", str(len(body)).encode()))
        return Asked(method, path, b"", tuple(headers), body)
