"""Names of all figures that come in and go out, in one table: those of the simulator's results where it has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "exchange_router_"


@dataclass(frozen=True)
class Figure:
    """A figure by name.

    Attributes
    ----------
    name : str
        Without `PREFIX`, and without the ``_total`` that counters get.
    kind : str
    en, zh : str
        What it is, with its unit.
    labels : tuple of str
    column : str or None
        The simulator's name for the same: a field of `sim.results.StationSlots` (``stations.``) or of
        `sim.series.Series` (``series.``).
    unit : str
        Grafana's name of the unit.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    en: str
    zh: str
    labels: tuple[str, ...] = ()
    column: str | None = None
    unit: str = "short"

    @property
    def metric(self) -> str:
        """Name of its family."""
        return PREFIX + self.name


UTILISATION: Final = Figure(
    "station_utilisation",
    "gauge",
    "Busy share of a station's servers in the window",
    "站点服务器在窗口内的忙碌占比",
    ("station",),
    "stations.utilisation",
    "percentunit",
)
WAITING: Final = Figure(
    "station_waiting",
    "gauge",
    "Exchanges waiting at a station at the window's end",
    "窗口结束时在站点等待的交换数",
    ("station",),
    "stations.waiting",
)
SERVED_BYTES: Final = Figure(
    "station_served_bytes",
    "gauge",
    "Bytes whose service began at a station in the window",
    "窗口内站点开始服务的字节数",
    ("station",),
    "stations.served_bytes",
    "bytes",
)
UP: Final = Figure(
    "station_up",
    "gauge",
    "Whether a station worked at the window's end: 1 or 0",
    "窗口结束时站点是否工作：1 或 0",
    ("station",),
    unit="bool_on_off",
)
STATIONS: Final = (UTILISATION, WAITING, SERVED_BYTES, UP)
WINDOW: Final = Figure("window_seconds", "gauge", "Length of the window [s]", "窗口长度（秒）", unit="s")
WINDOW_END: Final = Figure(
    "window_end_timestamp_seconds", "gauge", "End of the window, since 1970 [s]", "窗口结束时刻（秒）", unit="s"
)

STATIONS_DOWN: Final = Figure("stations_down", "gauge", "Stations known to be down", "已知停用的站点数")
EPOCH: Final = Figure(
    "policy_epoch",
    "gauge",
    "Epoch of the policy: newest published, last good",
    "策略纪元：最新发布、上一有效",
    ("which",),
)
STAGE: Final = Figure(
    "rollout_stage",
    "gauge",
    "Stage of the rollout: 0 none, 1 one, 2 some, 3 all, 4 done",
    "发布阶段：0 无，1 单个，2 部分，3 全部，4 完成",
)
HALTED: Final = Figure("rollout_halted", "gauge", "Whether the rollout is halted", "发布是否已中止", unit="bool_on_off")
SCOPES: Final = Figure(
    "rollout_scopes",
    "gauge",
    "Front-ends: all, alive, given the newest epoch, following it, refusing it",
    "前置节点：全部、在线、已下发、已确认、已拒绝",
    ("which",),
)
ACKS: Final = Figure("acks", "counter", "Confirmations taken in", "收到的确认数")
NACKS: Final = Figure("nacks", "counter", "Refusals taken in, by reason", "收到的拒绝数（按原因）", ("refusal",))
PUBLICATIONS: Final = Figure(
    "publications", "counter", "Bundles handed in: accepted, or why not", "提交的策略包：已接受或拒绝原因", ("result",)
)
TELEMETRY_ROWS: Final = Figure(
    "telemetry_rows",
    "counter",
    "Rows of telemetry by what became of them",
    "遥测行数（按处理结果）",
    ("result",),
)
TELEMETRY_AGE: Final = Figure(
    "telemetry_age_seconds", "gauge", "Age of the newest telemetry [s]", "最新遥测的时龄（秒）", unit="s"
)
STEP: Final = Figure(
    "control_step_seconds", "histogram", "Time of a control step of the brain [s]", "调度核心控制步耗时（秒）", unit="s"
)
TRUST: Final = Figure(
    "trust_level",
    "gauge",
    "What the brain goes by: 0 probing, 1 dynamic, 2 static, 3 last good",
    "调度依据：0 探测，1 动态，2 静态，3 上一有效",
)
REQUESTS: Final = Figure(
    "requests", "counter", "Requests by what they did and how they ended", "请求数（按动作与状态码）", ("act", "status")
)
TOOK: Final = Figure(
    "request_seconds", "histogram", "Time of a request, long polls apart [s]", "请求耗时（秒，不含长轮询）", unit="s"
)
WAITERS: Final = Figure("long_polls", "gauge", "Requests that wait for a change", "等待变更的长轮询数")

FIGURES: Final = (
    *STATIONS,
    STATIONS_DOWN,
    EPOCH,
    STAGE,
    HALTED,
    SCOPES,
    ACKS,
    NACKS,
    PUBLICATIONS,
    TELEMETRY_ROWS,
    TELEMETRY_AGE,
    STEP,
    TRUST,
    REQUESTS,
    TOOK,
    WAITERS,
)
# What of the simulator's columns no telemetry brings, and why.
NOT_MEASURED: Final = {
    "stations.slot": "a window is a time, not a slot",
    "stations.station": "it is the label of the others",
    "stations.served": "interface counters tell bytes",
    "stations.spilled": "no counter of live nodes tells it",
    "stations.failed": "no counter of live nodes tells it",
}
