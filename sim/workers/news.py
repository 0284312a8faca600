"""What a function tells while it works, and the mailbox where it arrives.

The mailbox is a socket for datagrams on this machine, in a folder that only the user may enter. A datagram comes whole
or not at all, so a process that is killed while it tells leaves nothing half written and no lock behind.
"""

from __future__ import annotations

import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from types import TracebackType
from typing import Any, Final, Self

# Datagrams of a megabyte fit into the usual buffers of no system; what is told is a share or a few figures.
BUFFER_BYTES: Final = 1 << 18

_listener: Callable[[Any], None] | None = None


def tell(news: object) -> None:
    """Tell of the item at work; called by the function that is mapped, and nothing where nobody listens."""
    if _listener is not None:
        _listener(news)


@contextmanager
def listened_to(listener: Callable[[Any], None] | None) -> Iterator[None]:
    """Let `listener` hear what is told while the block runs."""
    global _listener  # noqa: PLW0603 - a worker does one item at a time
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


class Post:
    """The way to a mailbox, from any process of this machine.

    Parameters
    ----------
    address : str
        Of the mailbox.
    index : int
        The item's.
    """

    def __init__(self, address: str, index: int) -> None:
        self._address = address
        self._index = index

    def __call__(self, news: object) -> None:
        """Send; a mailbox that is gone, or on another machine, is no reason to stop working."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            sender.sendto(pickle.dumps((self._index, news)), self._address)


class Mailbox:
    """Where the parent hears of items: what they tell, and that they are done.

    Parameters
    ----------
    on_news : callable or None
        Called with an item's index and what it told.
    """

    def __init__(self, on_news: Callable[[int, Any], None] | None) -> None:
        self._on_news = on_news
        self._done: deque[Any] = deque()

    def __enter__(self) -> Self:
        # An address may have 107 characters, and a user's folder for what is temporary may be deep.
        place = gettempdir() if len(gettempdir()) <= 80 else "/tmp"
        self._folder = TemporaryDirectory(prefix="er-", dir=place)
        self.address = str(Path(self._folder.name) / "post")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._folder.cleanup()

    def put(self, done: object) -> None:
        """Say from any thread that something is done; never waits."""
        self._done.append(done)
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # where the mailbox is full its owner is about to look anyway
            sender.sendto(b"", self.address)

    def wait(self) -> list[Any]:
        """Hear news until something is done, and return all that is; its news have been heard then."""
        while True:
            done = [self._done.popleft() for _ in range(len(self._done))]
            self._hear(blocking=not done)
            if done:
                return done

    def _hear(self, *, blocking: bool) -> None:
        """Hear what there is, after waiting for the first piece if `blocking`."""
        while True:
            try:
                datagram = self._socket.recv(BUFFER_BYTES, 0 if blocking else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if datagram and self._on_news is not None:
                index, news = pickle.loads(datagram)
                self._on_news(index, news)
            blocking = False
