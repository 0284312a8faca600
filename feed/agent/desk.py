"""The front-end's desk: tasks accepted, held back as the policy says, carried over its ways, tried again over others.

A task is in the database before its document is taken away, and its attempt before it is sent. So whatever instant the
process is killed at, what was accepted is delivered, under way, held or refused, and nothing is sent twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from feed.agent.agent_policy import AgentPolicy
from feed.agent.carriers import Carrier, Delivered, Failed, Order, Outcome, Settled
from feed.agent.spool import Given, Spool
from feed.agent.state import AgentState
from feed.agent.tasks import Task, TaskReader
from router_core.errors import BadInputError
from router_core.live_plan import LivePlan
from router_core.network import Network
from router_core.plan import Choice, Trunk, route
from router_core.transport import Transport
from router_core.units import DAY_NS, MINUTE_NS
from router_core.vocabulary import Mode, StationRole, TaskKind

# In one step at most, so that fetching a policy never waits long.
ACCEPTED_MAX: Final = 500
SENT_MAX: Final = 500
# A station that stopped a task is left out for so long; by then monitoring has spoken, or it is tried again.
SUSPECT_NS: Final = MINUTE_NS
# Ids of settled tasks are remembered for so long: within that a task is carried out once.
REMEMBERED_NS: Final = 30 * DAY_NS
# What is under way for longer is told.
SILENT_NS: Final = 30 * MINUTE_NS

HELD: Final = "held"
UNDER_WAY: Final = "under-way"
DELIVERED: Final = "delivered"
REFUSED: Final = "refused"


@dataclass(frozen=True)
class Situation:
    """By what tasks are treated now.

    Attributes
    ----------
    now_ns : int
        [ns since 1970].
    policy : AgentPolicy
    slot : int
    dynamic : bool
    live : LivePlan
        Ways of that slot and layer, without what is known to be down.
    """

    now_ns: int
    policy: AgentPolicy
    slot: int
    dynamic: bool
    live: LivePlan


@dataclass(frozen=True)
class Accepted:
    """Tasks of one relation that were accepted in a window."""

    target: str
    mode: int
    kind: int
    priority: int
    exchanges: int
    payload_bytes: int


class Desk:
    """Carries out the tasks of one endpoint.

    Parameters
    ----------
    state : AgentState
    spool : Spool
    reader : TaskReader
    carrier : Carrier
    network : Network
    transport : Transport
        How often and how soon a failed task is tried again.

    Attributes
    ----------
    suspects : dict of int to int
        Stations that stopped a task, and until when they are left out [ns since 1970].
    """

    def __init__(
        self,
        state: AgentState,
        spool: Spool,
        reader: TaskReader,
        carrier: Carrier,
        network: Network,
        transport: Transport,
    ) -> None:
        self._state = state
        self._spool = spool
        self._reader = reader
        self._carrier = carrier
        self._network = network
        self._transport = transport
        self._names = _node_names(network)
        self.suspects: dict[int, int] = {}
        # Whether what is under way was really sent, a crash leaves open: it is sent again, under the same key.
        self._unsent = {str(row[0]) for row in state.rows("SELECT id FROM tasks WHERE state = ?", (UNDER_WAY,))}
        self._clear()

    def step(self, situation: Situation) -> None:
        """Learn what became of tasks, accept new ones, and send those that are due."""
        now_ns = situation.now_ns
        self.suspects = {station: until for station, until in self.suspects.items() if until > now_ns}
        settled = self._carrier.outcomes()
        self._settle(settled, now_ns)
        self._carrier.forget(settled)
        self._accept(situation)
        self._send(situation)

    def next_due_ns(self) -> int | None:
        """When the next task is to be sent, None if none is [ns since 1970]."""
        due = self._state.rows("SELECT min(due_ns) FROM tasks WHERE state = ?", (HELD,))[0][0]
        return None if due is None else int(due)

    def counts(self) -> dict[str, int]:
        """How many tasks are in each state; all together were accepted."""
        found = dict(self._state.rows("SELECT state, count(*) FROM tasks GROUP BY state"))
        return {state: int(found.get(state, 0)) for state in (HELD, UNDER_WAY, DELIVERED, REFUSED)}

    @property
    def strange(self) -> int:
        """How many answers of the carrier somebody should look at."""
        return self._carrier.strange

    def silent(self, now_ns: int) -> int:
        """How many tasks are under way for so long that somebody should look."""
        since = (UNDER_WAY, now_ns - SILENT_NS)
        return int(self._state.rows("SELECT count(*) FROM tasks WHERE state = ? AND changed_ns < ?", since)[0][0])

    def accepted(self, after_ns: int, until_ns: int) -> tuple[Accepted, ...]:
        """Return what was accepted in (after_ns, until_ns], by relation."""
        window = "SELECT document, payload_bytes FROM tasks WHERE accepted_ns > ? AND accepted_ns <= ?"
        sums: dict[tuple[str, int, int, int], tuple[int, int]] = {}
        for text, payload_bytes in self._state.rows(window, (after_ns, until_ns)):
            one = json.loads(text)
            key = one["target"], Mode[one["mode"].upper()], TaskKind[one["kind"].upper()], one["priority"]
            count, size = sums.get(key, (0, 0))
            sums[key] = count + 1, size + payload_bytes
        return tuple(Accepted(*key, *sums[key]) for key in sorted(sums))

    def forget_old(self, now_ns: int) -> None:
        """Forget tasks that were settled long ago."""
        with self._state.transaction() as base:
            base.execute(
                "DELETE FROM tasks WHERE state IN (?, ?) AND changed_ns < ?",
                (DELIVERED, REFUSED, now_ns - REMEMBERED_NS),
            )

    # --- acceptance

    def _accept(self, situation: Situation) -> None:
        rows: dict[str, tuple[Any, ...]] = {}
        taken = []
        for given in self._spool.given(ACCEPTED_MAX, situation.now_ns):
            task = None
            try:
                task = self._reader.read(given.data)
                if task.document.id in rows:
                    continue  # it is looked at when the first one of that id is in the database
                known_bytes = self._known_bytes(task)
                if known_bytes is None:
                    payload_bytes = self._spool.hold(task.document.id, task.document.payload)
                    rows[task.document.id] = _row(task, given, payload_bytes, situation)
                else:
                    self._spool.drop_again(task.document.payload, known_bytes)
            except BadInputError as error:
                payload = None if task is None else task.document.payload
                self._spool.refuse(given.path, payload, error, situation.now_ns)
                continue
            taken.append(given)
        if rows:
            self._spool.sync()
            with self._state.transaction() as base:
                base.executemany(
                    "INSERT INTO tasks (id, digest, exchange, document, payload_bytes, accepted_ns, travels, due_ns, "
                    "state, changed_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    rows.values(),
                )
        for given in taken:
            self._spool.done(given)

    def _known_bytes(self, task: Task) -> int | None:
        """Length of this very task's payload if it was accepted before; another one of its id is refused."""
        found = self._state.rows("SELECT digest, payload_bytes FROM tasks WHERE id = ?", (task.document.id,))
        if not found:
            return None
        if found[0][0] != task.digest:
            raise BadInputError("task.id", "must be that of no other task", task.document.id)
        return int(found[0][1])

    # --- execution

    def _send(self, situation: Situation) -> None:
        now_ns = situation.now_ns
        due = self._state.rows(
            "SELECT id FROM tasks WHERE state = ? AND due_ns <= ? ORDER BY travels, due_ns, id LIMIT ?",
            (HELD, now_ns, SENT_MAX),
        )
        if due:
            with self._state.transaction() as base:
                begun = [(UNDER_WAY, now_ns, *one) for one in due]
                base.executemany("UPDATE tasks SET state = ?, changed_ns = ? WHERE id = ?", begun)
            self._unsent |= {str(one[0]) for one in due}
        answers = []
        for name in sorted(self._unsent):
            task, failures, travels = self._task(name)
            order = self._order(task, failures, travels, situation)
            answer = Failed(None, "there is no way to the target") if order is None else self._carrier.send(order)
            self._unsent.discard(name)
            if isinstance(answer, Delivered | Failed):
                answers.append(Settled(name, failures, answer))
        self._settle(answers, now_ns)

    def _task(self, name: str) -> tuple[Task, int, int]:
        text, failures, travels = self._state.rows(
            "SELECT document, failures, travels FROM tasks WHERE id = ?", (name,)
        )[0]
        return self._reader.known(text.encode()), int(failures), int(travels)

    def _order(self, task: Task, failures: int, travels: int, situation: Situation) -> Order | None:
        policy, document = situation.policy, task.document
        choice = None if task.target < 0 else situation.live.between(policy.node, task.target)
        if choice is None:
            return None
        trunk = choice.trunks[choice.pick(task.exchange, failures)]
        stations = route(self._network, policy.node, task.target, trunk)
        attributes = {
            "task": document.id,
            "attempt": failures,
            "source": policy.scope,
            "target": document.target,
            "resource": document.resource,
            "mode": document.mode,
            "kind": document.kind,
            "priority": travels,
            "class": policy.class_name(task.as_exchange(policy.node, situation.now_ns, 0)),
            "deadline": None if document.deadline is None else document.deadline.isoformat(),
            "epoch": policy.parsed.manifest.epoch,
            "route": self._nodes(stations),
            "stations": [self._network.station_name[station] for station in stations],
            "ways": self._ways(choice, trunk),
        }
        return Order(document.id, failures, self._spool.payload(document.id), stations, attributes)

    def _ways(self, choice: Choice, taken: Trunk) -> list[list[str]]:
        """All ways that there are, the one taken first, each once, as names of nodes."""
        return [self._nodes(trunk.stations) for trunk in dict.fromkeys((taken, *choice.trunks))]

    def _nodes(self, stations: Sequence[int]) -> list[str]:
        passed = [name for name in (self._names[station] for station in stations) if name]
        return [name for place, name in enumerate(passed) if place == 0 or passed[place - 1] != name]

    def _settle(self, settled: Sequence[Settled], now_ns: int) -> None:
        """Remember what became of attempts; one that was remembered before changes nothing."""
        changes: list[tuple[str, Outcome, int]] = []
        for one in settled:
            found = self._state.rows(
                "SELECT failures FROM tasks WHERE id = ? AND state = ? AND failures = ?",
                (one.task, UNDER_WAY, one.attempt),
            )
            if found:
                changes.append((one.task, one.outcome, one.attempt + 1))
        if not changes:
            return
        with self._state.transaction() as base:
            for task, outcome, attempts in changes:
                match outcome:
                    case Delivered():
                        row = (DELIVERED, "", now_ns, attempts - 1)
                    case Failed() if attempts > self._transport.retries_max:
                        row = (REFUSED, outcome.detail[:500], now_ns, attempts)
                    case Failed():
                        row = (HELD, outcome.detail[:500], now_ns + self._transport.backoff(attempts), attempts)
                        if outcome.station is not None:
                            self.suspects[outcome.station] = now_ns + SUSPECT_NS
                base.execute(
                    "UPDATE tasks SET state = ?, told = ?, due_ns = ?, failures = ?, changed_ns = ? WHERE id = ?",
                    (*row, now_ns, task),
                )
        self._unsent -= {task for task, _, _ in changes}
        self._clear([task for task, _, _ in changes])

    def _clear(self, tasks: Sequence[str] | None = None) -> None:
        """Do with the payloads of settled tasks what is to be done; doing it again does nothing."""
        columns = "SELECT id, state, document, told, changed_ns FROM tasks WHERE"
        if tasks is None:
            settled = self._state.rows(f"{columns} state IN (?, ?)", (DELIVERED, REFUSED))
        else:
            settled = [row for task in tasks for row in self._state.rows(f"{columns} id = ?", (task,))]
        for task, state, document, told, changed_ns in settled:
            if state == DELIVERED:
                self._spool.drop(task)
            elif state == REFUSED:
                rule = f"must be delivered within {self._transport.retries_max} retries"
                self._spool.give_up(task, document, BadInputError(f"task {task}", rule, told), changed_ns)


def _row(task: Task, given: Given, payload_bytes: int, situation: Situation) -> tuple[Any, ...]:
    """What is remembered of a task that is accepted now."""
    policy, now_ns = situation.policy, situation.now_ns
    handling = policy.handling(situation.slot, situation.dynamic)
    handled = handling.handle(task.as_exchange(policy.node, now_ns, payload_bytes), task.exchange)
    due_ns = now_ns + int(handled.hold_ns[0])
    text = given.data.decode()
    travels = int(handled.priority[0])
    return task.document.id, task.digest, task.exchange, text, payload_bytes, now_ns, travels, due_ns, HELD, now_ns


def _node_names(network: Network) -> list[str]:
    """Name of the node of each station, empty for a line's."""
    return [
        "" if role == StationRole.LINE else network.node_name[owner]
        for role, owner in zip(network.station_role.tolist(), network.station_owner.tolist(), strict=True)
    ]
