"""Business systems that give tasks to front-ends, some of them twice."""

from __future__ import annotations

import json
import os

import numpy as np

from router_core.catalogue import SharingRule
from router_core.vocabulary import Mode, TaskKind
from swarm.context import Context
from swarm.end_machine import EndMachine

AGAIN = 0.15


class Giving:
    """Gives the tasks of a world, at instants that are drawn.

    Parameters
    ----------
    context : Context
    ends : list of EndMachine

    Attributes
    ----------
    given : set of (str, str)
        Front-ends and tasks: all of them are such as must be accepted.
    """

    def __init__(self, context: Context, ends: list[EndMachine]) -> None:
        self._context = context
        self._ends = ends
        self.given: set[tuple[str, str]] = set()

    def begin(self) -> None:
        """Have them given, each at its instant."""
        context, draw = self._context, self._context.draw("tasks")
        last_ns = context.begin_ns + context.scene.span_ns
        for number in range(context.spec.rhythms.tasks):
            end = self._ends[int(draw.integers(len(self._ends)))]
            document = self._document(number, end.scope, draw)
            times = 2 if draw.random() < AGAIN else 1
            instants = [int(draw.integers(0, last_ns)) for _ in range(times)]
            if document is not None:
                for at_ns in instants:
                    context.loop.call_at_ns(at_ns, self._give, end, document)

    def _document(self, number: int, scope: str, draw: np.random.Generator) -> dict[str, object] | None:
        platform = self._context.scene.platform
        network, catalogue = platform.network, platform.catalogue
        source = np.array([network.node_index[scope]], dtype=np.int32)
        places = draw.permutation(len(network.endpoints) * catalogue.resource_count)
        for place in places.tolist():
            node, resource = divmod(place, catalogue.resource_count)
            target = network.endpoints[[node]].astype(np.int32)
            verdict = catalogue.verdict(network, source, target, np.array([resource], dtype=np.int32))[0]
            if verdict == SharingRule.PERMITTED:
                return {
                    "id": f"task-{number}",
                    "target": network.node_name[int(target[0])],
                    "resource": catalogue.resource_name[resource],
                    "mode": list(Mode)[int(draw.integers(len(Mode)))].name.lower(),
                    "kind": list(TaskKind)[int(draw.integers(len(TaskKind)))].name.lower(),
                    "priority": int(draw.integers(0, 4)),
                    "payload": f"task-{number}.bin",
                }
        return None

    def _give(self, end: EndMachine, document: dict[str, object]) -> None:
        """As the documents say: the payload first, and the document by a rename."""
        into = end.folder / "tasks" / "in"
        into.mkdir(parents=True, exist_ok=True)
        (into / str(document["payload"])).write_bytes(b"payload")
        draft = into / f".{document['id']}.part"
        draft.write_bytes(json.dumps(document).encode())
        os.replace(draft, into / f"{document['id']}.json")
        self.given.add((end.scope, str(document["id"])))
        self._context.journal.note("given", end.scope, str(document["id"]))
