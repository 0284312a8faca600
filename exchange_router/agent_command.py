"""`agent`: a front-end's side of the feed: policies fetched, checked and applied, tasks carried out by them."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from exchange_router import console
from exchange_router.options import AsJson, Scenario
from router_core.errors import BadInputError, FailedCheckError

if TYPE_CHECKING:
    from feed.agent.agent import Agent
    from feed.agent.desk import Desk
    from feed.agent.http_link import HttpLink
    from feed.agent.state import AgentState
    from router_core.platform import Platform
from router_core.units import SECOND_NS

LOCK_FILE: Final = "agent.lock"
# The fact that says whose state a folder holds: epochs and tasks of one front-end are nothing to another.
OWNER: Final = "scope"
# A long poll where nothing else waits meanwhile.
WAIT_S: Final = 20.0


def agent(
    state: Annotated[Path, typer.Option(help="State folder, its owner's alone.  状态目录。")],
    scope: Annotated[str | None, typer.Option(help="Endpoint, as the scenario names it.  前置节点名。")] = None,
    server: Annotated[str | None, typer.Option(help="Address, e.g. https://centre:8443.  服务器地址。")] = None,
    trust: Annotated[Path | None, typer.Option(help="Trust file: whose signatures count.  信任文件。")] = None,
    scenario: Scenario = "jiangxi",
    token_file: Annotated[
        Path | None, typer.Option(help="Bearer token, in a file that its owner alone can read.  令牌文件。")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Own certificate, PEM.  本机证书。")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM, its owner's alone.  证书私钥。")] = None,
    ca: Annotated[Path | None, typer.Option(help="Who signs the server's certificate, PEM.  CA 证书。")] = None,
    nifi: Annotated[
        Path | None, typer.Option(help="routes.csv to keep for NiFi's lookup.  供 NiFi 查询的文件。")
    ] = None,
    tasks: Annotated[Path | None, typer.Option(help="Folder of tasks to carry out.  任务目录。")] = None,
    handoff: Annotated[
        Path | None, typer.Option(help="Folder where NiFi takes tasks (default: TASKS/nifi).  与 NiFi 交接的目录。")
    ] = None,
    telemetry_s: Annotated[
        float,
        typer.Option(min=0.1, max=3600, help="Window of reports [s], as the server's.  上报窗口（秒），与服务器一致。"),
    ] = 60.0,
    once: Annotated[bool, typer.Option("--once", help="One round, then exit.  只运行一轮。")] = False,
    pin: Annotated[
        int | None, typer.Option(min=1, help="Put a kept epoch in force and stay there.  固定纪元。")
    ] = None,
    unpin: Annotated[bool, typer.Option("--unpin", help="Follow the server again.  解除固定。")] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Show what is in force; exit 1 on a grave alarm.  显示状态。")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch, check and apply policies at a front-end; carry out tasks.  前置管理：获取、校验、执行策略与任务。"""
    if status + unpin + (pin is not None) > 1:
        raise BadInputError("agent", "must be given one of --status, --pin and --unpin at a time", "several")
    if status:
        _show(state, as_json)
        return
    if pin is not None or unpin:
        _set_pin(state, pin, as_json)
        return
    if scope is None or server is None or trust is None:
        raise BadInputError("--scope, --server, --trust", "must be given to run an agent", "not all of them")
    if (tls_cert is None) != (tls_key is None):
        raise BadInputError("--tls-cert, --tls-key", "must be given together", "one of them")
    import scenarios  # noqa: PLC0415 - a look at the state needs no platform

    platform = scenarios.load(scenario)
    link = _link(server, token_file, tls_cert, tls_key, ca)
    with _alone(state):
        one = _agent(platform, scope, state, trust, link, nifi, tasks, handoff, telemetry_s)
        if once:
            one.step()
        else:
            _run(one)
        document = _document(state)
    console.emit(document, as_json, _table(document))
    if once and any(alarm["grave"] for alarm in document["alarms"]):
        raise FailedCheckError("a grave alarm is on: see above what to do next")


def _link(server: str, token_file: Path | None, cert: Path | None, key: Path | None, ca: Path | None) -> HttpLink:
    from feed.agent.http_link import HttpLink, read_token, tls_context  # noqa: PLC0415 - other commands need no HTTP

    secure = server.lower().startswith("https:")
    if not secure and (cert or ca):
        raise BadInputError("--server", "must be https where --tls-cert or --ca is given", server)
    token = None if token_file is None else read_token(token_file)
    tls = tls_context(ca, cert, key) if secure else None
    return HttpLink(server, token=token, tls=tls)


def _agent(
    platform: Platform,
    scope: str,
    folder: Path,
    trust: Path,
    link: HttpLink,
    nifi: Path | None,
    tasks: Path | None,
    handoff: Path | None,
    telemetry_s: float,
) -> Agent:
    from feed.agent.agent import Agent, AgentSetting  # noqa: PLC0415
    from feed.agent.nifi_file import NifiFile  # noqa: PLC0415
    from feed.agent.state import AgentState  # noqa: PLC0415
    from feed.agent.trust_store import TrustStore  # noqa: PLC0415
    from feed.clock import SystemClock  # noqa: PLC0415

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    state = AgentState(folder)
    owner = state.fact(OWNER)
    if owner not in (None, scope):
        state.close()
        rule = f"must be {owner}, whose state this is; give another front-end a folder of its own"
        raise BadInputError("--scope", rule, scope, str(folder))
    setting = AgentSetting(window_ns=round(telemetry_s * SECOND_NS))
    desk = None if tasks is None else _desk(platform, scope, state, tasks, handoff or tasks / "nifi")
    made = Agent(
        platform.network,
        scope,
        state,
        TrustStore(folder, trust),
        link,
        SystemClock(),
        setting=setting if desk is not None else replace(setting, wait_s=WAIT_S),
        desk=desk,
        nifi=None if nifi is None else NifiFile(nifi),
    )
    if owner is None:
        state.set_fact(OWNER, scope)
    return made


def _desk(platform: Platform, scope: str, state: AgentState, tasks: Path, handoff: Path) -> Desk:
    from feed.agent.desk import Desk  # noqa: PLC0415
    from feed.agent.nifi_handoff import NifiHandoff  # noqa: PLC0415
    from feed.agent.spool import Spool  # noqa: PLC0415
    from feed.agent.tasks import TaskReader  # noqa: PLC0415

    network = platform.network
    node = network.node_index.get(scope)
    if node is None:
        raise BadInputError("--scope", "must be an endpoint of the scenario", scope)
    reader = TaskReader(network, platform.catalogue, node)
    carrier = NifiHandoff(handoff, network)
    return Desk(state, Spool(tasks), reader, carrier, network, platform.transport)


def _run(one: Agent) -> None:
    """Work until a signal says to stop; a round is ended first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    one.run(sleep=stop.wait, stopped=stop.is_set)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other agent work on the folder meanwhile."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInputError("--state", "must be the folder of one agent that runs", str(folder)) from None
        yield


def _set_pin(folder: Path, epoch: int | None, as_json: bool) -> None:
    from feed.agent.state import DATABASE, AgentState  # noqa: PLC0415

    if not (folder / DATABASE).exists():
        raise BadInputError("--state", "must be the folder of an agent that has run", str(folder))
    state = AgentState(folder)
    if epoch is None:
        state.unpin()
    else:
        state.pin(epoch)
    state.close()
    document = _document(folder)
    console.emit(document, as_json, _table(document))


def _show(folder: Path, as_json: bool) -> None:
    document = _document(folder)
    console.emit(document, as_json, _table(document))
    if any(alarm["grave"] for alarm in document["alarms"]):
        raise FailedCheckError("a grave alarm is on: see above what to do next")


def _document(folder: Path) -> dict[str, Any]:
    """What a state folder says, whether or not an agent works on it."""
    from feed.agent.alarms import read_alarms  # noqa: PLC0415
    from feed.agent.state import AgentState  # noqa: PLC0415
    from feed.clock import utc_of  # noqa: PLC0415

    state = AgentState(folder, read_only=True)
    active = state.active()
    document = {
        "active": None if active is None else {"epoch": active.epoch, "etag": active.etag},
        "layer": None if active is None else active.layer.name.lower(),
        "pinned": state.pinned,
        "highest_epoch": state.seen.epoch,
        "kept": [
            {"epoch": one.epoch, "etag": one.etag, "accepted": utc_of(one.accepted_ns).isoformat()}
            for one in state.kept()
        ],
        "reports_to_tell": len(state.pending(10_000)),
        "tasks": {str(name): int(count) for name, count in state.rows("SELECT state, count(*) FROM tasks GROUP BY 1")},
        "alarms": read_alarms(folder),
    }
    state.close()
    return document


def _table(document: dict[str, Any]) -> Any:
    text, active = console.text, document["active"]
    rows = [
        (text("in force", "生效策略"), "-" if active is None else f"{active['etag']} ({document['layer']})"),
        (text("pinned", "固定"), "-" if document["pinned"] is None else str(document["pinned"])),
        (text("highest epoch", "最高纪元"), str(document["highest_epoch"])),
        (text("kept", "保留"), ", ".join(str(one["epoch"]) for one in document["kept"]) or "-"),
        (text("tasks", "任务"), ", ".join(f"{name} {count}" for name, count in document["tasks"].items()) or "-"),
    ]
    rows += [
        (
            text("ALARM", "告警") if alarm["grave"] else text("notice", "提示"),
            f"{alarm['alarm']}: {alarm['detail']}; {text('next: ' + alarm['next'], '处理：' + alarm['next_zh'])}",
        )
        for alarm in document["alarms"]
    ]
    return console.facts(text("front-end agent", "前置代理"), rows)
