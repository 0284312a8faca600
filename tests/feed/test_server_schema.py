"""Requests made from the server's own OpenAPI, right ones and wrong ones: no 5xx, and answers as it describes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from feed_server import live, made, serving
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

EXAMPLES = int(os.environ.get("FEED_REQUESTS", "6"))
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
OPERATIONS_MIN = 11


@schemathesis.serializer("application/vnd.exchange-router.bundle", "application/openmetrics-text")
def as_it_is(ctx: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("schema")
    with serving(folder) as service, live(service) as port:
        service.publish(made(1), at_once=True)
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_every_answer_is_described_and_none_is_a_5xx(server: str, mode: GenerationMode) -> None:
    operations = [found.ok() for found in schemathesis.openapi.from_url(f"{server}/openapi.json").get_all_operations()]
    assert len(operations) >= OPERATIONS_MIN
    tried = sum(asked(operation, mode) for operation in operations)
    assert tried >= len(operations)


def asked(operation: APIOperation, mode: GenerationMode) -> int:
    """Send what the operation's strategy draws, and return how many requests that was."""
    count = 0
    if mode == GenerationMode.NEGATIVE and not (operation.query or operation.path_parameters or operation.body):
        return 0  # nothing of it could be wrong

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: Case) -> None:
        nonlocal count
        if isinstance(case.query, dict):
            case.query.pop("wait_s", None)  # a long poll takes as long as it is asked to
        count += 1
        case.call_and_validate(checks=CHECKS, timeout=10)

    ask()
    return count
