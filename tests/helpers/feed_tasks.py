"""Tasks of the toy's front-ends, and carriers for them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from feed_agent import some_scope
from learnt_toy import toy

from feed.agent.carriers import Delivered, Failed, Order, Outcome, Settled, UnderWay
from feed.agent.desk import Desk
from feed.agent.spool import Spool
from feed.agent.state import AgentState
from feed.agent.tasks import TaskReader
from feed.disk import SYSTEM_DISK, Disk
from router_core.catalogue import SharingRule


@cache
def permitted(scope: str | None = None) -> tuple[tuple[str, str], ...]:
    """Resources and targets that the scope may send."""
    platform = toy()
    network, catalogue = platform.network, platform.catalogue
    source = network.node_index[scope or some_scope()]
    found = []
    for resource in range(catalogue.resource_count):
        targets = network.endpoints.astype(np.int32)
        sources = np.full(len(targets), source, dtype=np.int32)
        verdicts = catalogue.verdict(network, sources, targets, np.full(len(targets), resource, dtype=np.int32))
        found += [
            (catalogue.resource_name[resource], network.node_name[target])
            for target, verdict in zip(targets.tolist(), verdicts.tolist(), strict=True)
            if verdict == SharingRule.PERMITTED
        ]
    return tuple(found)


def document(task: str, **fields: Any) -> dict[str, Any]:
    resource, target = permitted()[sum(task.encode()) % len(permitted())]
    return {
        "id": task,
        "target": target,
        "resource": resource,
        "mode": "front_end",
        "kind": "exchange",
        "priority": 3,
        "payload": f"{task}.bin",
    } | fields


def given_task(folder: Path, task: str, payload: bytes | None = b"payload", **fields: Any) -> Path:
    """Give a task as the documents say: the payload first, and the document by a rename."""
    into = folder / "tasks" / "in"
    into.mkdir(parents=True, exist_ok=True)
    about = document(task, **fields)
    if payload is not None:
        (into / about["payload"]).write_bytes(payload)
    draft = into / f".{task}.part"
    draft.write_bytes(json.dumps(about).encode())
    path = into / f"{task}.json"
    os.replace(draft, path)
    return path


class CountingCarrier:
    """Delivers at once, by key, as a carrier must: a file that can be made only once stands for a delivery."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def send(self, order: Order) -> Outcome | UnderWay:
        data = order.payload.read_bytes()
        path = self._folder / order.task
        handle = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)  # sent again with its key it is the same delivery
        os.write(handle, data)
        os.close(handle)
        return Delivered()

    strange = 0

    def outcomes(self) -> Sequence[Settled]:
        return ()

    def forget(self, settled: Sequence[Settled]) -> None:
        assert not settled


@dataclass
class ScriptedCarrier:
    """Answers as it is told, and keeps all orders."""

    answers: dict[str, Outcome | UnderWay] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    told: list[Settled] = field(default_factory=list)

    def send(self, order: Order) -> Outcome | UnderWay:
        self.orders.append(order)
        return self.answers.get(order.key, self.answers.get(order.task, Delivered()))

    strange = 0

    def outcomes(self) -> Sequence[Settled]:
        return tuple(self.told)

    def forget(self, settled: Sequence[Settled]) -> None:
        self.told = [one for one in self.told if one not in settled]

    def fail(self, task: str, station: int | None = None) -> None:
        self.answers[task] = Failed(station, "it failed")


def task_desk(folder: Path, carrier: Any = None, scope: str | None = None, disk: Disk = SYSTEM_DISK) -> Desk:
    platform = toy()
    network = platform.network
    reader = TaskReader(network, platform.catalogue, network.node_index[scope or some_scope()])
    carried = carrier if carrier is not None else CountingCarrier(folder / "carried")
    state = AgentState(folder / "state")
    return Desk(state, Spool(folder / "tasks", disk), reader, carried, network, platform.transport)
