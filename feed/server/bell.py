"""Wakes everybody who waits for a change: one event for all, no thread or timer for each change."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Waiting:
    """A wait that sees every ring since it was made."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    async def within(self, wait_s: float) -> None:
        """Return when it has rung, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._event.wait()


class Bell:
    """Rung from any thread, heard in the event loop it hangs in."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def hang(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on it is heard in this loop."""
        self._loop = loop

    def waits(self) -> Waiting:
        """Begin to wait: first this, then look whether there is anything to wait for."""
        return Waiting(self._event)

    def ring(self) -> None:
        """Wake everybody who waits."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rung)

    def _rung(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()
