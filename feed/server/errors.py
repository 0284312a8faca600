"""What the API answers when it does not do what was asked: a code, one line, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from pydantic import ValidationError

from feed.refusals import Refusal, RefusedBundleError
from router_core.errors import BadInputError, ExchangeRouterError

# What a bundle is refused for because of what is in force here, not because of what it is.
CONFLICTS: Final = frozenset({Refusal.EPOCH_ROLLED_BACK, Refusal.REPLAYED, Refusal.WRONG_TOPOLOGY, Refusal.PINNED})


class ApiError(ExchangeRouterError):
    """A request that is refused.

    Parameters
    ----------
    status : HTTPStatus
    code : str
        Short and stable, for programs.
    detail : str
        Place, rule and value in one line; never a secret.
    next_step : str
        What the operator does next.
    headers : mapping of str to str, optional
    """

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, next_step: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = "".join(char if char.isprintable() else " " for char in detail)[:500]
        self.next_step = next_step
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}; next: {self.next_step}"

    def document(self) -> dict[str, str]:
        """Body of the answer."""
        return {"error": self.code, "detail": self.detail, "next": self.next_step}


def refused(error: RefusedBundleError) -> ApiError:
    """Answer to a bundle that is refused."""
    match error.refusal:
        case Refusal.OVERSIZED:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case refusal if refusal in CONFLICTS:
            status = HTTPStatus.CONFLICT
        case _:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
    return ApiError(status, error.refusal.value, error.detail, error.refusal.next_en)


def invalid(error: BadInputError | ValidationError) -> ApiError:
    """Answer to a body or a parameter that breaks a rule."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        detail = f"{'.'.join(map(str, first['loc'])) or 'body'}: {first['msg']}"
    else:
        detail = str(error)
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, "compare the request with /openapi.json, and send it again"
    )


def unauthenticated() -> ApiError:
    """Answer to who shows no valid credentials."""
    return ApiError(
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        "a valid token or client certificate must be shown",
        "compare the token with the server's token file, or the certificate with its --client-ca",
        {"www-authenticate": "Bearer"},
    )


def forbidden(name: str, what: str) -> ApiError:
    """Answer to who may not do this."""
    return ApiError(
        HTTPStatus.FORBIDDEN,
        "forbidden",
        f"{name} may not {what}",
        "use credentials of the right role, and an agent's own scope",
    )


def unknown_scope(scope: str) -> ApiError:
    """Answer to a scope that the platform has not."""
    return ApiError(
        HTTPStatus.NOT_FOUND,
        "unknown-scope",
        f"scope: must be an endpoint of the scenario (got {scope[:80]!r})",
        "take a name of `scenario show`; agent and server must use the same scenario",
    )


def unknown_epoch(epoch: int, kept: Iterable[int]) -> ApiError:
    """Answer to who wants an epoch back that is not kept."""
    shown = ", ".join(map(str, sorted(kept))) or "none"
    detail = f"epoch: must be one of those kept: {shown} (got {epoch})"
    return ApiError(HTTPStatus.NOT_FOUND, "unknown-epoch", detail, "take one of these")


def no_keys() -> ApiError:
    """Answer to a rollback where nothing can be signed."""
    return ApiError(
        HTTPStatus.CONFLICT,
        "no-keys",
        "this server holds no key to sign with",
        "make the bundle with `policy rollback` where the keys are, and publish it",
    )


def unknown_bundle(epoch: int, etag: str) -> ApiError:
    """Answer to a status of a bundle that is not kept here."""
    return ApiError(
        HTTPStatus.CONFLICT,
        "unknown-bundle",
        f"epoch, etag: must be of a bundle that this server keeps (got {epoch}, {etag})",
        "fetch the bundle anew; if it stays so, two servers publish: stop one",
    )


def not_offered(epoch: int, scope: str) -> ApiError:
    """Answer to a status of a bundle that the scope was not to have yet."""
    return ApiError(
        HTTPStatus.CONFLICT,
        "not-offered",
        f"epoch: {epoch} was not given to {scope} yet",
        "wait until the rollout takes this front-end in; `GET /v1/rollout` shows how far it is",
    )


def no_policy(scope: str) -> ApiError:
    """Answer to who asks for a policy where none is published yet."""
    return ApiError(
        HTTPStatus.NOT_FOUND,
        "no-policy",
        f"no policy is there for {scope} yet",
        "publish one, or wait until its rollout takes this front-end in",
    )


def no_route(source: str, target: str) -> ApiError:
    """Answer to who asks for a route that the policy has not."""
    return ApiError(
        HTTPStatus.NOT_FOUND,
        "no-route",
        f"{source} to {target}: the policy has no way",
        "look with `policy explain`; the network may not join them",
    )
