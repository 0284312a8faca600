"""Tasks as front-ends are given them: a JSON document and a payload file in a spool folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from feed.clock import countable, instant_of
from router_core.catalogue import Catalogue, SharingRule
from router_core.errors import BadInputError
from router_core.exchanges import NO_DEADLINE, NO_LABEL, Exchanges
from router_core.network import Network
from router_core.units import PAYLOAD_BYTES_MAX
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind

TASK_BYTES_MAX: Final = 64 << 10
# No dot in front, so that nothing is hidden, and no separator: these become names of files.
FILE_NAME: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$"


class TaskDocument(BaseModel):
    """``tasks/in/*.json``: one task; unknown fields are refused.

    Attributes
    ----------
    id : str
        Chosen by whoever gives the task; a task is carried out once, however often it is given.
    target : str
        Endpoint that receives.
    resource : str
        As the catalogue names it.
    mode, kind : str
        Names of `Mode` and `TaskKind` in lower case.
    priority : int
        Class of service asked for, 0 is the most urgent.
    payload : str
        Name of the payload's file beside the document, without a folder.
    deadline : datetime or None
        With a zone, in the years 1970..2241.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Annotated[str, Field(pattern=FILE_NAME)]
    target: Annotated[str, Field(min_length=1, max_length=200)]
    resource: Annotated[str, Field(min_length=1, max_length=200)]
    mode: Literal["docking", "front_end", "query", "batch"]
    kind: Literal["sync", "exchange"]
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX)]
    payload: Annotated[str, Field(pattern=FILE_NAME)]
    deadline: Annotated[AwareDatetime, AfterValidator(countable)] | None = None


@dataclass(frozen=True)
class Task:
    """A task that may be carried out.

    Attributes
    ----------
    document : TaskDocument
    digest : str
        SHA-256 of its file.
    exchange : int
        Number that ways and holds are drawn by: it follows from scope and id, so a restart draws the same.
    target, resource : int
        Node, and index into the catalogue's resources.
    """

    document: TaskDocument
    digest: str
    exchange: int
    target: int
    resource: int

    def as_exchange(self, source: int, now_ns: int, payload_bytes: int) -> Exchanges:
        """Return it as one row, accepted at an instant since 1970 [ns]."""
        document = self.document
        deadline_ns = NO_DEADLINE if document.deadline is None else instant_of(document.deadline)
        return Exchanges(
            submitted_ns=np.array([now_ns], dtype=np.int64),
            source=np.array([source], dtype=np.int32),
            target=np.array([self.target], dtype=np.int32),
            payload_bytes=np.array([payload_bytes], dtype=np.int64),
            mode=np.array([Mode[document.mode.upper()]], dtype=np.int8),
            kind=np.array([TaskKind[document.kind.upper()]], dtype=np.int8),
            resource=np.array([self.resource], dtype=np.int32),
            priority=np.array([document.priority], dtype=np.int8),
            deadline_ns=np.array([deadline_ns], dtype=np.int64),
            demand_type=np.array([NO_LABEL], dtype=np.int8),
            surge=np.array([NO_LABEL], dtype=np.int8),
        )


class TaskReader:
    """Reads tasks of one endpoint and holds them against the sharing rules.

    Parameters
    ----------
    network : Network
    catalogue : Catalogue
    source : int
        Node of the endpoint.
    """

    def __init__(self, network: Network, catalogue: Catalogue, source: int) -> None:
        self._network = network
        self._catalogue = catalogue
        self._source = source
        self._resource = {name: index for index, name in enumerate(catalogue.resource_name)}

    def read(self, data: bytes) -> Task:
        """Return the task that a document describes.

        Raises
        ------
        BadInputError
            If it is none, or one that may not be carried out, with place, rule and value.
        """
        if len(data) > TASK_BYTES_MAX:
            raise BadInputError("task", f"must have at most {TASK_BYTES_MAX:,} bytes", len(data))
        try:
            document = TaskDocument.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(["task", *map(str, first["loc"])])
            raise BadInputError(place, first["msg"], None if first["loc"] == () else first["input"]) from None
        if document.payload.endswith(".json"):
            raise BadInputError("task.payload", "must not be named as tasks are, .json", document.payload)
        target = self._network.node_index.get(document.target)
        if target is None or not self._network.is_endpoint[target]:
            raise BadInputError("task.target", "must be an endpoint of the scenario", document.target)
        resource = self._resource.get(document.resource, -1)
        columns = (np.array([one], dtype=np.int32) for one in (self._source, target, resource))
        verdict = SharingRule(int(self._catalogue.verdict(self._network, *columns)[0]))
        if verdict != SharingRule.PERMITTED:
            raise BadInputError("task", verdict.text, f"{document.resource} to {document.target}")
        return self._task(document, data, target, resource)

    def known(self, data: bytes) -> Task:
        """Return a task that was read before; the rules are not asked again."""
        document = TaskDocument.model_validate_json(data)
        # -1 where a new scenario no longer has it.
        target = self._network.node_index.get(document.target, -1)
        resource = self._resource.get(document.resource, -1)
        return self._task(document, data, target, resource)

    def _task(self, document: TaskDocument, data: bytes, target: int, resource: int) -> Task:
        source = self._network.node_name[self._source]
        key = hashlib.sha256(f"{source}/{document.id}".encode()).digest()
        exchange = int.from_bytes(key[:8], "big") >> 2
        return Task(document, hashlib.sha256(data).hexdigest(), exchange, target, resource)


def check_size(payload_bytes: int) -> None:
    """Refuse payloads that are larger than any exchange may be; raises `BadInputError`."""
    if payload_bytes > PAYLOAD_BYTES_MAX:
        raise BadInputError("task.payload", f"must have at most {PAYLOAD_BYTES_MAX:,} bytes", payload_bytes)
