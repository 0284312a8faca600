"""Keys of a world before and after their rotation, tokens of its clients, and what a thief may sign with."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from feed_signing import signer, trust_of

from feed.agent.trust_store import ENVELOPE_SUFFIX
from feed.clock import utc_of
from feed.durable import READABLE, write_durably
from feed.server.auth import TokenAuthority, TokenEntry, TokenFile
from feed.signing import dsse
from feed.signing.signer import Signer
from feed.signing.trust import TRUST_TYPE, Trust, trust_json

STRANGER = 99
MONITOR, OPERATOR = "monitoring", "operator"


class Keyring:
    """Signers and trust, version by version.

    Parameters
    ----------
    numbers : tuple of int
        Of the keys that sign at first.
    threshold : int
    now_ns : int
        Since 1970 [ns].
    """

    def __init__(self, numbers: tuple[int, ...], threshold: int, now_ns: int) -> None:
        self._numbers = numbers
        self._threshold = threshold
        self._now = utc_of(now_ns)

    def signers(self, version: int) -> tuple[Signer, ...]:
        """Who signs by a version of the trust: from the second on the first key is another one."""
        first, *rest = self._numbers
        return tuple(signer(one) for one in (first + 4 * (version - 1), *rest))

    def trust(self, version: int) -> Trust:
        """A version of the trust."""
        span = timedelta(days=400)
        return trust_of(
            self.signers(version), self._threshold, version=version, begin=self._now - span, end=self._now + span
        )

    def install(self, file: Path, version: int) -> None:
        """Install a version as an operator does, its envelope first."""
        document = trust_json(self.trust(version))
        if version > 1:
            who = {one.key_id: one for one in (*self.signers(version - 1), *self.signers(version))}
            envelope = dsse.sign(document, TRUST_TYPE, tuple(who.values()))
            write_durably(file.with_name(file.name + ENVELOPE_SUFFIX), envelope, READABLE)
        write_durably(file, document, READABLE)


def token(name: str) -> str:
    """The token of a client; it guards nothing."""
    return f"{name}.{secret(name)}"


def secret(name: str) -> str:
    """Its secret part."""
    return sha256(f"token of {name}".encode()).hexdigest()


@cache
def authority(scopes: tuple[str, ...]) -> TokenAuthority:
    """Believes the agents of scopes, monitoring and the operator."""
    entries = [_entry(f"agent-{number}", "agent", scope) for number, scope in enumerate(scopes)]
    entries += [_entry(MONITOR, "telemetry", None), _entry(OPERATOR, "admin", None)]
    return TokenAuthority(TokenFile(tokens=tuple(entries)))


def _entry(name: str, role: str, scope: str | None) -> TokenEntry:
    return TokenEntry(name=name, sha256=sha256(secret(name).encode()).hexdigest(), role=role, scope=scope)
