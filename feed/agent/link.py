"""What an agent asks of the server and tells it; HTTP live, anything else in tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Fetched:
    """The server has something else.

    Attributes
    ----------
    data : bytes
    kind : str
        A whole package, or what changes the base into it.
    etag : str
        As the server calls it; not trusted, only given back.
    """

    data: bytes
    kind: Literal["bundle", "delta"]
    etag: str


@dataclass(frozen=True)
class Unchanged:
    """The server has what the agent has, or nothing yet."""


@dataclass(frozen=True)
class Unavailable:
    """No answer, or none that can be used.

    Attributes
    ----------
    reason : str
        One line, without secrets.
    retry_s : float or None
        How long the server asks to be left alone [s].
    """

    reason: str
    retry_s: float | None = None


@dataclass(frozen=True)
class Stations:
    """Names of stations that are known to be down."""

    down: frozenset[str]


@dataclass(frozen=True)
class Taken:
    """The server has taken what it was told, or will never take it: it need not be told again.

    Attributes
    ----------
    refused : str or None
        Why it will never take it.
    """

    refused: str | None = None


class ServerLink(Protocol):
    """The server, as an agent sees it; no call raises for what a network can do."""

    def fetch(self, scope: str, etag: str | None, base: str | None, wait_s: float) -> Fetched | Unchanged | Unavailable:
        """Ask for the policy of a scope.

        Parameters
        ----------
        scope : str
        etag : str or None
            The one that is known: only another one is an answer.
        base : str or None
            The one in force, that the server may answer the difference to; None: the whole is wanted.
        wait_s : float
            How long the server may wait for another one to come [s].
        """
        ...

    def report(self, status: dict[str, Any]) -> Taken | Unavailable:
        """Tell what became of a policy; telling it twice is telling it once."""
        ...

    def stations(self) -> Stations | Unchanged | Unavailable:
        """Ask which stations are down."""
        ...

    def telemetry(self, batch: dict[str, Any]) -> Taken | Unavailable:
        """Tell what was accepted in a window."""
        ...
