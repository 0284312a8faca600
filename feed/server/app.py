"""The HTTP interface, as FastAPI knows it; `feed.server.front_door` stands before it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from feed.clock import utc_of
from feed.refusals import RefusedBundleError
from feed.server import errors
from feed.server.auth import Act, Authority, Identity
from feed.server.errors import ApiError
from feed.server.front_door import IDENTITY, FrontDoor, tag_of
from feed.server.metrics_out import CONTENT_TYPE
from feed.server.reports import RollbackRequest, StatusReport, TelemetryBatch, raw_of
from feed.server.service import LOG, Accepted, FeedService
from feed.server.shelf import BUNDLE_MEDIA, DELTA_MEDIA
from feed.server.store import Result
from feed.server.telemetry_parse import stations_of
from router_core.errors import BadInputError

JSON: Final = "application/json"
OPENMETRICS: Final = "application/openmetrics-text"
WAIT_S_MAX: Final = 60.0
ETAG_PATTERN: Final = r"^[1-9][0-9]{0,15}-[0-9a-f]{16}$"
NUMBER_MAX: Final = 2**53

ScopeName = Annotated[str, Path(min_length=1, max_length=200, description="Endpoint, as the scenario names it")]
WaitS = Annotated[float, Query(ge=0, le=WAIT_S_MAX, allow_inf_nan=False, description="Longest wait for a change [s]")]
Have = Annotated[str | None, Header(alias="if-none-match", description="ETag of what the client has")]
Endpoint = Annotated[str, Query(min_length=1, max_length=200)]
BODIES: Final = (TelemetryBatch, StatusReport, RollbackRequest)


class ApiProblem(BaseModel):
    """What is answered when something is refused."""

    error: str
    detail: str
    next: str


def make_app(service: FeedService, authority: Authority) -> FrontDoor:
    """Return the ASGI application of a service."""
    return FrontDoor(make_api(service), service, authority)


def make_api(service: FeedService) -> FastAPI:
    """Return the interface behind the front door, which says who asks in the state of each request."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    api = FastAPI(
        title="exchange-router feed",
        version="1",
        description="Signed policy bundles for front-ends, their answers, and telemetry for the centre.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            code: {"model": ApiProblem, "description": HTTPStatus(code).phrase}
            for code in (400, 401, 403, 404, 405, 408, 413, 422, 429)
        },
    )
    _handle_errors(api)
    _bundle_routes(api, service)
    _report_routes(api, service)
    _look_routes(api, service)
    _describe(api)
    return api


def _bundle_routes(api: FastAPI, service: FeedService) -> None:
    @api.get(
        "/v1/bundles/{scope}",
        summary="What a front-end is to have now",
        response_class=Response,
        responses={
            200: {"content": {BUNDLE_MEDIA: {}, DELTA_MEDIA: {}}, "description": "Package of the scope, or a delta"},
            304: {"description": "What the client has is what it is to have"},
        },
    )
    async def bundle(
        request: Request,
        scope: ScopeName,
        wait_s: WaitS = 0.0,
        base: Annotated[str | None, Query(pattern=ETAG_PATTERN, description="ETag that a delta may build on")] = None,
        if_none_match: Have = None,
    ) -> Response:
        identity = _allowed(request, Act.FETCH, service.scope(scope))
        have = tag_of(if_none_match or "")
        wait_s = min(wait_s, service.setting.wait_s_max)
        delivery = await service.bundle_for(identity, scope, have, base, wait_s, request.is_disconnected)
        if delivery is None:
            raise errors.no_policy(scope)
        headers = {"etag": f'"{delivery.etag}"', "vary": "accept-encoding"}
        cut = delivery.cut
        if cut is None:
            return Response(status_code=304, headers=headers)
        if cut.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(cut.gzipped, headers=headers | {"content-encoding": "gzip"}, media_type=cut.media)
        return Response(cut.plain, headers=headers, media_type=cut.media)

    @api.post(
        "/v1/bundles",
        summary="Publish a signed full bundle",
        status_code=201,
        response_model=dict[str, Any],
        responses={409: {"model": ApiProblem}, 415: {"model": ApiProblem}, 200: {"description": "It was known"}},
        openapi_extra={"requestBody": {"required": True, "content": {BUNDLE_MEDIA: {"schema": {"type": "string"}}}}},
    )
    async def publish(request: Request, at_once: Annotated[bool, Query()] = False) -> Response:
        _allowed(request, Act.PUBLISH)
        _media(request, BUNDLE_MEDIA)
        return _accepted(await service.publish_packed(await request.body(), at_once=at_once))

    @api.post(
        "/v1/rollback",
        summary="Publish the content of an old epoch as a new one",
        status_code=201,
        response_model=dict[str, Any],
        responses={409: {"model": ApiProblem}, 415: {"model": ApiProblem}},
        openapi_extra=_body(RollbackRequest),
    )
    async def rollback(request: Request) -> Response:
        _allowed(request, Act.PUBLISH)
        _media(request, JSON)
        wanted = RollbackRequest.model_validate_json(await request.body())
        return _accepted(await service.rollback(wanted.epoch, at_once=wanted.at_once))

    @api.post(
        "/v1/resume",
        summary="Let the centre publish again after a rollback",
        response_model=dict[str, Any],
        responses={409: {"model": ApiProblem}},
    )
    async def resume(request: Request) -> Response:
        _allowed(request, Act.PUBLISH)
        service.resume()
        return JSONResponse({"paused": service.paused})


def _report_routes(api: FastAPI, service: FeedService) -> None:
    @api.post(
        "/v1/status",
        summary="What became of a bundle at a front-end",
        response_model=dict[str, Any],
        responses={409: {"model": ApiProblem}, 415: {"model": ApiProblem}},
        openapi_extra=_body(StatusReport),
    )
    async def status(request: Request) -> Response:
        identity = _allowed(request, Act.ANSWER)
        _media(request, JSON)
        report = StatusReport.model_validate_json(await request.body())
        _allowed(request, Act.ANSWER, report.scope)
        state = await service.answered(identity, report)
        return JSONResponse({"epoch": report.epoch, "result": report.result, "stage": state.stage.value})

    @api.post(
        "/v1/telemetry",
        summary="What stations did, and what an endpoint accepted",
        status_code=202,
        response_model=dict[str, int],
        responses={415: {"model": ApiProblem}},
        openapi_extra=_body(TelemetryBatch, {OPENMETRICS: {"schema": {"type": "string"}}}),
    )
    async def telemetry(request: Request) -> Response:
        identity = _allowed(request, Act.REPORT)
        media = _media(request, JSON, OPENMETRICS)
        body = await request.body()
        if media == JSON:
            batch = TelemetryBatch.model_validate_json(body)
            raw, accepted = raw_of(batch), batch.accepted
        else:
            raw, accepted = await asyncio.to_thread(stations_of, body, service.setting.stations_max), None
        usable = service.telemetry(identity, raw, accepted)
        counts = {
            "used": usable.used,
            "unknown": usable.unknown,
            "foreign": usable.foreign,
            "repeated": usable.repeated,
        }
        if usable.stations is None and usable.accepted is None:
            raise ApiError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "nothing-usable",
                ", ".join(f"{name} {count}" for name, count in counts.items()),
                "use the names of the scenario in use here, and an agent's own stations",
            )
        return JSONResponse(counts, status_code=202)


def _look_routes(api: FastAPI, service: FeedService) -> None:
    @api.get(
        "/v1/stations",
        summary="Stations known to be down",
        response_model=dict[str, list[str]],
        responses={304: {"description": "The same as the client knows"}},
    )
    async def stations(request: Request, wait_s: WaitS = 0.0, if_none_match: Have = None) -> Response:
        _allowed(request, Act.LOOK)
        have = tag_of(if_none_match or "")
        etag = await service.down.other_than(have, min(wait_s, service.setting.wait_s_max))
        headers = {"etag": f'"{etag}"'}
        if etag == have:
            return Response(status_code=304, headers=headers)
        names = service.network.station_name
        return JSONResponse({"down": [names[station] for station in service.down.now.nonzero()[0]]}, headers=headers)

    @api.get("/v1/route", summary="Route of an exchange", response_model=dict[str, Any])
    async def route(
        request: Request,
        source: Endpoint,
        target: Endpoint,
        exchange: Annotated[int, Query(ge=0, le=NUMBER_MAX)] = 0,
        attempt: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Response:
        _allowed(request, Act.LOOK)
        found, stored = await service.route(source, target, exchange, attempt)
        names = service.network
        return JSONResponse(
            {
                "epoch": stored.epoch,
                "etag": stored.etag,
                "slot": found.slot,
                "layer": found.layer,
                "way": found.position,
                "ways": found.ways,
                "first": names.node_name[found.trunk.first],
                "last": names.node_name[found.trunk.last],
                "stations": [names.station_name[station] for station in found.stations],
                "live": found.live,
            }
        )

    @api.get(
        "/v1/capacity", summary="Servers that nodes are to borrow from their clouds", response_model=dict[str, Any]
    )
    async def capacity(request: Request) -> Response:
        _allowed(request, Act.LOOK)
        found, stored = await service.capacity()
        about = {"epoch": stored.epoch, "etag": stored.etag, "slot": found.slot, "layer": found.layer}
        return JSONResponse(about | {"servers": found.servers})

    @api.get("/v1/rollout", summary="How far the newest epoch has come", response_model=dict[str, Any])
    async def rollout(request: Request) -> Response:
        _allowed(request, Act.WATCH)
        answers, state = await asyncio.to_thread(service.answers), service.state
        return JSONResponse(
            {
                "epoch": state.epoch,
                "good": state.good,
                "stage": state.stage.value,
                "since": utc_of(state.since_ns).isoformat(),
                "halted": state.halted,
                "paused": service.paused,
                "members": sorted(state.members),
                "scopes": len(service.names.scopes),
                "alive": service.alive_count(),
                "given": len(state.given),
                "acked": len(state.acked),
                "nacked": [
                    {"scope": answer.scope, "refusal": answer.refusal, "detail": answer.detail}
                    for answer in answers
                    if answer.result == Result.NACK
                ],
                "kept": [stored.epoch for stored in service.stored()],
            }
        )

    @api.get("/healthz", summary="Whether the server answers", response_model=dict[str, str])
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @api.get(
        "/readyz",
        summary="Whether it has a policy to give",
        response_model=dict[str, Any],
        responses={503: {"model": ApiProblem, "description": "No policy yet, or it is stopping"}},
    )
    async def readyz() -> Response:
        if service.state.epoch == 0 or service.stopping:
            what = "the server is stopping" if service.stopping else "no policy is published yet"
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", what, "publish a bundle, or wait")
        return JSONResponse({"status": "ready", "epoch": service.state.epoch})

    @api.get(
        "/metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics(request: Request) -> Response:
        _allowed(request, Act.WATCH)
        text = await asyncio.to_thread(service.metrics.text)
        return Response(text, headers={"content-type": CONTENT_TYPE})


def _allowed(request: Request, act: Act, scope: str | None = None) -> Identity:
    identity = getattr(request.state, IDENTITY, None)
    if not isinstance(identity, Identity):
        raise errors.unauthenticated()
    if not identity.may(act, scope):
        raise errors.forbidden(identity.name, act.value if scope is None else f"{act.value} for {scope}")
    return identity


def _media(request: Request, *wanted: str) -> str:
    """Return the body's media type, one of these, and not encoded."""
    media = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media not in wanted or request.headers.get("content-encoding", "identity") != "identity":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "media",
            f"content-type: must be {' or '.join(wanted)}, without a content-encoding (got {media[:80]!r})",
            "set the header that fits the body",
        )
    return media


def _accepted(accepted: Accepted) -> Response:
    document = {"epoch": accepted.epoch, "etag": accepted.etag, "again": accepted.again}
    return JSONResponse(document, status_code=200 if accepted.again else 201)


def _body(model: type[BaseModel], others: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}} | (others or {})
    return {"requestBody": {"required": True, "content": content}}


def _describe(api: FastAPI) -> None:
    """Add the bodies that the routes read by themselves, which is stricter and quicker than the framework's way."""
    plain = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = plain()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in BODIES:
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
            document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}]
        assert api.openapi_schema is not None, "FastAPI keeps the document it made"
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]


def _handle_errors(api: FastAPI) -> None:
    """Answer everything that is raised in one form."""

    async def answer(_: Request, error: Exception) -> Response:
        problem = _problem(error)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            LOG.error("%s", problem)
        return JSONResponse(problem.document(), status_code=problem.status, headers=problem.headers)

    for kind in (
        ApiError,
        RefusedBundleError,
        BadInputError,
        ValidationError,
        RequestValidationError,
        HTTPException,
        sqlite3.Error,
        OSError,
    ):
        api.add_exception_handler(kind, answer)


def _problem(error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case RefusedBundleError():
            return errors.refused(error)
        case BadInputError() | ValidationError():
            return errors.invalid(error)
        case RequestValidationError():
            first = error.errors()[0]
            return errors.invalid(BadInputError(".".join(map(str, first["loc"])), first["msg"], first.get("input")))
        case HTTPException():
            return ApiError(
                HTTPStatus(error.status_code),
                HTTPStatus(error.status_code).phrase.lower().replace(" ", "-"),
                "no such place or method here",
                "compare the request with /openapi.json",
                error.headers,
            )
        case _:
            return ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "store-unavailable",
                f"state folder: {getattr(error, 'strerror', None) or error}",
                "make room on the disk or repair it; what was accepted before is kept",
            )
