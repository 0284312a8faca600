"""The words of the log of decisions for readers of English and of Chinese; report and command line share them."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from strategies.decision import FIGURES, DecisionKind, Reason, Trust
from strategies.guard.verdict import Flaw, Stream


class Words(NamedTuple):
    """One thing in two languages."""

    en: str
    zh: str


# "<kind>: <reason>" is a sentence.
KIND_WORDS: Final = {
    DecisionKind.SURGE_FOUND: Words("Surge found", "发现浪涌"),
    DecisionKind.SURGE_OVER: Words("Surge over", "浪涌结束"),
    DecisionKind.SERVERS_BORROWED: Words("Servers borrowed", "借用服务器"),
    DecisionKind.SERVERS_RETURNED: Words("Servers given back", "归还服务器"),
    DecisionKind.BULK_HELD: Words("Bulk held back", "延后批量交换"),
    DecisionKind.BULK_RELEASED: Words("Bulk released", "放行批量交换"),
    DecisionKind.ROUTES_CHANGED: Words("Routes changed", "调整路由"),
    DecisionKind.ROUTES_RESTORED: Words("Routes restored", "恢复方案路由"),
    DecisionKind.PARTICLES_SENT: Words("Test particles sent", "发送测试粒子"),
    DecisionKind.STATIONS_LOST: Words("Stations lost", "服务站失效"),
    DecisionKind.STATIONS_BACK: Words("Stations back", "服务站恢复"),
    DecisionKind.TRUST_CHANGED: Words("Basis changed", "更换决策依据"),
    DecisionKind.ALERT: Words("Alert", "预警"),
}
REASON_WORDS: Final = {
    Reason.ABOVE_FORECAST: Words("there is more demand than any forecast said", "需求超出全部预测"),
    Reason.AS_FORECAST: Words("demand is as forecast", "需求与预测相符"),
    Reason.STATION_BUSY: Words("a station is too busy", "服务站过忙"),
    Reason.STATION_IDLE: Words("a station has room to spare", "服务站已有余量"),
    Reason.SURGE: Words("a surge is on", "浪涌正在发生"),
    Reason.SURGE_OVER: Words("the surge has passed", "浪涌已经过去"),
    Reason.BETTER_ROUTES: Words("other routes are better", "有更好的路由"),
    Reason.STATIONS_DOWN: Words("stations have stopped", "服务站停止工作"),
    Reason.STATIONS_UP: Words("stations work again", "服务站恢复工作"),
    Reason.SLOT_BEGAN: Words("a new slot of the plan begins", "方案进入新时段"),
    Reason.POOL_EMPTY: Words("the pool has no more servers", "资源池没有剩余服务器"),
    Reason.DEADLINE_AT_RISK: Words("deadlines would be missed", "时限可能超过"),
    Reason.TELEMETRY_LATE: Words("telemetry comes late", "遥测迟到"),
    Reason.TELEMETRY_MISSING: Words("telemetry is missing", "遥测缺失"),
    Reason.TELEMETRY_ABSURD: Words("telemetry says what cannot be", "遥测数据不合理"),
    Reason.TELEMETRY_GOOD: Words("telemetry is good", "遥测正常"),
    Reason.PARTICLES_MISSING: Words("test particles do not come back", "测试粒子未能收回"),
    Reason.PARTICLES_BACK: Words("test particles come back", "测试粒子正常收回"),
    Reason.PLAN_REFUSED: Words("the new plan failed its check", "新方案未通过检查"),
}
TRUST_WORDS: Final = {
    Trust.PROBING: Words("test particles", "测试粒子"),
    Trust.DYNAMIC: Words("telemetry", "遥测"),
    Trust.STATIC: Words("the plan made ahead", "预定方案"),
    Trust.LAST_GOOD: Words("the last good plan", "最后可用方案"),
}
# An alert for one of these reasons says that what was the matter is so no more.
GOOD_REASONS: Final = (
    Reason.AS_FORECAST,
    Reason.STATION_IDLE,
    Reason.SURGE_OVER,
    Reason.STATIONS_UP,
    Reason.TELEMETRY_GOOD,
    Reason.PARTICLES_BACK,
)
ALERT_OVER_WORDS: Final = Words("Alert over", "预警解除")
STREAM_WORDS: Final = {
    Stream.TELEMETRY: Words("telemetry", "遥测"),
    Stream.DEMAND: Words("demand reports", "需求报告"),
    Stream.PARTICLES: Words("test particles", "测试粒子"),
    Stream.ALARMS: Words("monitoring's alarms", "监控告警"),
    Stream.CLOCK: Words("the clock", "时钟"),
}
FLAW_WORDS: Final = {
    Flaw.MISSING: Words("missing", "缺失"),
    Flaw.LATE: Words("late", "迟到"),
    Flaw.LOST: Words("lost", "丢失"),
    Flaw.DUPLICATED: Words("came twice", "重复"),
    Flaw.REORDERED: Words("overtaken", "乱序"),
    Flaw.FUTURE: Words("from the future", "时间超前"),
    Flaw.CLOCK_BACK: Words("went back", "时钟倒退"),
    Flaw.CLOCK_AHEAD: Words("leapt ahead", "时钟跳前"),
    Flaw.SHAPE: Words("of a wrong shape", "形状不符"),
    Flaw.WINDOW: Words("of a wrong window", "窗口不符"),
    Flaw.OUT_OF_RANGE: Words("out of range", "超出范围"),
    Flaw.BEYOND_RATE: Words("beyond what a station can do", "超出服务能力"),
    Flaw.MOSTLY_ABSURD: Words("mostly absurd", "大多不合理"),
}
_OF_OBSERVATIONS: Final = (
    Reason.TELEMETRY_LATE, Reason.TELEMETRY_MISSING, Reason.TELEMETRY_ABSURD, Reason.TELEMETRY_GOOD,
    Reason.PARTICLES_MISSING, Reason.PARTICLES_BACK,
)  # fmt: skip
FIGURE_WORDS: Final = {
    "utilisation": Words("utilisation", "利用率"),
    "expected_utilisation": Words("expected utilisation", "预期利用率"),
    "rate": Words("rate", "速率"),
    "expected_rate": Words("expected rate", "预期速率"),
    "factor": Words("against what was expected", "与预期之比"),
    "score": Words("evidence against the limit", "证据与门限之比"),
    "onset_s": Words("began earlier by", "开始于此前"),
    "servers": Words("servers", "服务器"),
    "server_s": Words("server time", "服务器时间"),
    "pool_left": Words("left in the pool", "资源池剩余"),
    "held_share": Words("share held back", "延后占比"),
    "hold_s": Words("held for", "延后时长"),
    "bytes_per_s": Words("volume", "数据量"),
    "pairs": Words("pairs concerned", "涉及节点对"),
    "churn": Words("traffic moved", "流量变动"),
    "peak": Words("busiest station", "最忙服务站"),
    "peak_before": Words("busiest station before", "此前最忙服务站"),
    "delay_s": Words("delay", "时延"),
    "delay_before_s": Words("delay before", "此前时延"),
    "particles": Words("particles", "粒子"),
    "payload_bytes": Words("bytes", "字节"),
    "stations": Words("stations concerned", "涉及服务站"),
    "age_s": Words("age of what is known", "所知信息的时龄"),
    "lead_s": Words("ahead of the deadline", "距时限"),
    "count": Words("number", "数量"),
}

Form = Literal["share", "number", "times", "duration", "bytes", "per_second", "bytes_per_second"]
_BY_UNIT: Final[dict[str, Form]] = {"s": "duration", "B": "bytes", "1/s": "per_second", "B/s": "bytes_per_second"}
_SHARES: Final = ("utilisation", "expected_utilisation", "held_share", "churn", "peak", "peak_before")
_TIMES: Final = ("factor", "score")
# What a decision costs; the other figures say what it rests on and what it promises.
COSTS: Final = ("servers", "server_s", "held_share", "hold_s", "churn", "particles", "payload_bytes")


def form_of(figure: str) -> Form:
    """Return how a figure is written: units alone do not tell a share from a number."""
    if figure in _SHARES:
        return "share"
    if figure in _TIMES:
        return "times"
    return _BY_UNIT.get(FIGURES[figure], "number")


def kind_words(kind: DecisionKind, reason: Reason) -> Words:
    """Return the words for what was decided."""
    return ALERT_OVER_WORDS if kind == DecisionKind.ALERT and reason in GOOD_REASONS else KIND_WORDS[kind]


def subject_words(name: str, kind: DecisionKind, reason: Reason) -> Words | None:
    """Return the words for a subject that names no part of the network, but what a brain goes by or observes."""
    if kind == DecisionKind.TRUST_CHANGED:
        trust = Trust.__members__.get(name.upper().replace("-", "_"))
        return None if trust is None else TRUST_WORDS[trust]
    if kind == DecisionKind.ALERT and reason in _OF_OBSERVATIONS:
        return _OBSERVED.get(name)
    return None


_OBSERVED: Final = {member.value: words for member, words in (*STREAM_WORDS.items(), *FLAW_WORDS.items())}
