"""Who asks, and what they may do: by client certificate, by bearer token, or anything on the loopback if so told."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import Field, ValidationError

from feed.bundle.documents import Digest, Document, Name
from feed.durable import write_durably
from feed.signing.guarded_files import read_private
from router_core.errors import BadInputError


class Role(StrEnum):
    """What a client is: a front-end's agent, a source of telemetry, an operator, or somebody who looks on."""

    AGENT = "agent"
    TELEMETRY = "telemetry"
    ADMIN = "admin"
    READER = "reader"


class Act(StrEnum):
    """What a request does."""

    FETCH = "fetch"
    ANSWER = "answer"
    REPORT = "report"
    LOOK = "look"
    PUBLISH = "publish"
    WATCH = "watch"


MAY: Final[Mapping[Role, frozenset[Act]]] = {
    Role.AGENT: frozenset({Act.FETCH, Act.ANSWER, Act.REPORT, Act.LOOK}),
    Role.TELEMETRY: frozenset({Act.REPORT, Act.LOOK}),
    Role.ADMIN: frozenset(Act),
    Role.READER: frozenset({Act.FETCH, Act.LOOK, Act.WATCH}),
}
# Of these an agent may only speak or ask for its own scope.
OWN_SCOPE: Final = frozenset({Act.FETCH, Act.ANSWER})


@dataclass(frozen=True)
class Identity:
    """A client that proved who it is.

    Attributes
    ----------
    name : str
        For logs and rates; never a secret.
    role : Role
    scope : str or None
        Endpoint that an agent speaks for; None of other roles.
    """

    name: str
    role: Role
    scope: str | None = None

    def may(self, act: Act, scope: str | None = None) -> bool:
        """Whether it may do this, to this scope."""
        if act not in MAY[self.role]:
            return False
        return self.role != Role.AGENT or act not in OWN_SCOPE or scope is None or scope == self.scope


class Authority(Protocol):
    """Finds out who asks."""

    def identity(self, authorization: bytes | None, certificate: Mapping[str, Any] | None) -> Identity | None:
        """Return who it is, `None` if nothing valid was shown.

        Parameters
        ----------
        authorization : bytes or None
            Header of that name.
        certificate : mapping or None
            As `ssl.SSLSocket.getpeercert` gives it: verified by the TLS layer.
        """
        ...


class LoopbackAuthority:
    """Takes everybody for an operator; only where nobody but this machine can ask."""

    def identity(self, authorization: bytes | None, certificate: Mapping[str, Any] | None) -> Identity | None:
        """Whoever it is."""
        del authorization, certificate
        return Identity("loopback", Role.ADMIN)


class CertificateAuthority:
    """Takes a client by its certificate: the common name is the scope, the organisational unit the role.

    Without a common name the only DNS name of the subject's alternatives stands for it; without a unit it is an agent.
    """

    def identity(self, authorization: bytes | None, certificate: Mapping[str, Any] | None) -> Identity | None:
        """As in `Authority`."""
        del authorization
        if not certificate:
            return None
        subject: dict[str, list[str]] = {}
        for part in certificate.get("subject", ()):
            for key, value in part:
                subject.setdefault(key, []).append(value)
        names = subject.get("commonName") or [
            value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"
        ]
        roles = subject.get("organizationalUnitName", [Role.AGENT.value])
        if len(names) != 1 or len(roles) != 1 or roles[0] not in list(Role):
            return None
        role = Role(roles[0])
        return Identity(f"cert:{names[0]}", role, names[0] if role == Role.AGENT else None)


class TokenEntry(Document):
    """One token, as its file tells it.

    Attributes
    ----------
    name : str
        First part of the token; no secret.
    sha256 : str
        Of the secret part. It is 32 random bytes, so a plain hash is enough: there is nothing to guess from.
    role : str
    scope : str or None
        Of an agent; of others there is none.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    sha256: Digest
    role: Literal["agent", "telemetry", "admin", "reader"]
    scope: Name | None = None


class TokenFile(Document):
    """Tokens of a server's clients; `kind` keeps other JSON files out."""

    kind: Literal["exchange-router tokens"] = "exchange-router tokens"
    tokens: tuple[TokenEntry, ...]


_BEARER: Final = re.compile(rb"[Bb]earer ([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,128})")
TOKENS_BYTES_MAX: Final = 4 << 20
_NOBODY: Final = "0" * 64


class TokenAuthority:
    """Takes a client by a bearer token ``<name>.<secret>``: found by its name, the secret compared in constant time.

    Parameters
    ----------
    tokens : TokenFile

    Raises
    ------
    BadInputError
        If two tokens have one name, an agent's has no scope, or another's has one.
    """

    def __init__(self, tokens: TokenFile) -> None:
        self._entries: dict[str, tuple[str, Identity]] = {}
        for entry in tokens.tokens:
            if entry.name in self._entries:
                raise BadInputError("tokens.name", "must be unique", entry.name)
            role = Role(entry.role)
            if (entry.scope is None) == (role == Role.AGENT):
                raise BadInputError(f"tokens.{entry.name}.scope", "agents have one, others have none", entry.scope)
            self._entries[entry.name] = entry.sha256, Identity(f"token:{entry.name}", role, entry.scope)

    def check_scopes(self, scopes: Collection[str], file: str) -> None:
        """Refuse an agent's token that speaks for none of these scopes: its agent would ask in vain."""
        for name, (_, identity) in self._entries.items():
            if identity.scope is not None and identity.scope not in scopes:
                rule = "must be an endpoint of the scenario"
                raise BadInputError(f"tokens.{name}.scope", rule, identity.scope, file)

    def identity(self, authorization: bytes | None, certificate: Mapping[str, Any] | None) -> Identity | None:
        """As in `Authority`."""
        del certificate
        match = _BEARER.fullmatch(authorization or b"")
        if match is None:
            return None
        expected, identity = self._entries.get(match[1].decode("ascii"), (_NOBODY, None))
        # An unknown name costs the same comparison.
        same = hmac.compare_digest(sha256(match[2]).hexdigest(), expected)
        return identity if same else None


def read_tokens(path: Path) -> TokenFile:
    """Return the tokens of a file that only its owner can read.

    Raises
    ------
    BadInputError
        If it is a link, not ours, open to others, or no file of tokens; what it holds is never told.
    """
    data = read_private(path, TOKENS_BYTES_MAX)
    try:
        return TokenFile.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "tokens"
        raise BadInputError(place, f"must be as `serve` tokens are: {first['msg']}", "…", str(path)) from None


def add_token(path: Path, name: str, role: Role, scope: str | None) -> str:
    """Add a token to a file, made if it is not there, and return it: it is told this once, and kept nowhere.

    Raises
    ------
    BadInputError
        If the file may not be used, or the token breaks a rule of `TokenAuthority`.
    """
    tokens = read_tokens(path).tokens if path.exists() or path.is_symlink() else ()
    secret = secrets.token_urlsafe(32)
    try:
        entry = TokenEntry(name=name, sha256=sha256(secret.encode()).hexdigest(), role=role.value, scope=scope)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise BadInputError(f"--{first['loc'][0]}", first["msg"], first["input"]) from None
    document = TokenFile(tokens=(*tokens, entry))
    TokenAuthority(document)
    write_durably(path, document.model_dump_json(indent=2).encode() + b"\n")
    return f"{name}.{secret}"
