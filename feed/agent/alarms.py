"""What an agent wants somebody to look at: told once in the log, kept in a file, and gone when its cause is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from feed.clock import utc_of
from feed.disk import SYSTEM_DISK, Disk
from router_core.errors import BadInputError

ALARMS_FILE: Final = "alarms.json"


class Alarm(StrEnum):
    """What may be wrong at a front-end."""

    NO_POLICY = "no-policy"
    LAPSED = "lapsed"
    REFUSED = "refused"
    DAMAGED = "damaged"
    TRUST = "trust"
    DISK = "disk"
    SERVER_AWAY = "server-away"
    CLOCK_BEHIND = "clock-behind"
    PINNED = "pinned"
    TASKS_SILENT = "tasks-silent"
    NIFI_STRANGE = "nifi-strange"

    @property
    def grave(self) -> bool:
        """Whether a person must act; the others are told only."""
        return self not in (Alarm.SERVER_AWAY, Alarm.PINNED, Alarm.CLOCK_BEHIND, Alarm.NIFI_STRANGE)

    @property
    def next_en(self) -> str:
        """What to do next, in English."""
        return _NEXT[self][0]

    @property
    def next_zh(self) -> str:
        """What to do next, in Chinese."""
        return _NEXT[self][1]


_NEXT: Final[dict[Alarm, tuple[str, str]]] = {
    Alarm.NO_POLICY: (
        "tasks wait in tasks/in until a first policy comes: check the server, the scope and the trust file",
        "首份策略到达前任务留在 tasks/in：检查服务器、范围与信任文件",
    ),
    Alarm.LAPSED: (
        "routing goes on by the last good policy; bring the server back, or publish a new epoch",
        "仍按上一份有效策略路由；恢复服务器，或发布新纪元",
    ),
    Alarm.REFUSED: (
        "the last good policy stays in force; do what the refusal says next",
        "上一份有效策略继续生效；按拒绝原因提示处理",
    ),
    Alarm.DAMAGED: (
        "an older policy is in force until it is fetched again; check the disk",
        "重新获取前使用较旧的策略；检查磁盘",
    ),
    Alarm.TRUST: (
        "the trust in force stays; install the next version, with its envelope beside it",
        "现有信任继续有效；安装下一版本及其信封文件",
    ),
    Alarm.DISK: (
        "make room, or repair the disk: nothing is accepted while nothing can be kept",
        "清理或修复磁盘：无法保存时不接受任何任务",
    ),
    Alarm.SERVER_AWAY: (
        "nothing to do here: the static layer goes on to hold; bring the server back",
        "此处无需操作：静态层继续有效；请恢复服务器",
    ),
    Alarm.CLOCK_BEHIND: ("set this machine's clock", "校准本机时钟"),
    Alarm.PINNED: (
        "take the pin off with `agent --unpin` when its reason is gone",
        "原因消除后用 `agent --unpin` 解除固定",
    ),
    Alarm.TASKS_SILENT: (
        "see whether NiFi runs and writes outcomes: what is under way is never sent again by itself",
        "检查 NiFi 是否运行并写出结果：在途任务不会自动重发",
    ),
    Alarm.NIFI_STRANGE: (
        "look at the files in strange/: NiFi told an outcome that cannot be read",
        "查看 strange/ 中的文件：NiFi 写出了无法读取的结果",
    ),
}


# What is shown of an alarm, as `Alarms.document` writes it.
_SHOWN: Final = {"alarm": str, "grave": bool, "since": str, "detail": str, "next": str, "next_zh": str}


@dataclass(frozen=True)
class Raised:
    """An alarm that is on.

    Attributes
    ----------
    since_ns : int
        [ns since 1970].
    detail : str
    """

    since_ns: int
    detail: str


class Alarms:
    """The alarms that are on.

    Parameters
    ----------
    folder : Path
        Where `ALARMS_FILE` is kept.
    disk : Disk, optional
    """

    def __init__(self, folder: Path, disk: Disk = SYSTEM_DISK) -> None:
        self._disk = disk
        self._path = folder / ALARMS_FILE
        self._on: dict[Alarm, Raised] = {}
        self._written: bytes | None = None

    @property
    def on(self) -> dict[Alarm, Raised]:
        """Those that are on."""
        return dict(self._on)

    def set(self, alarm: Alarm, detail: str | None, now_ns: int) -> bool:
        """Turn an alarm on with a detail, or off with None; return whether it went on or off."""
        was = self._on.get(alarm)
        if detail is None:
            return self._on.pop(alarm, None) is not None
        self._on[alarm] = Raised(was.since_ns if was else now_ns, detail)
        return was is None

    def write(self) -> None:
        """Keep the file up to date; raises `OSError` if it cannot be written."""
        text = json.dumps(self.document(), ensure_ascii=False, indent=1).encode()
        if text != self._written:
            self._disk.write(self._path, text)
            self._written = text

    def document(self) -> list[dict[str, Any]]:
        """Return the alarms as plain values, in the order of `Alarm`."""
        return [
            {
                "alarm": alarm.value,
                "grave": alarm.grave,
                "since": utc_of(self._on[alarm].since_ns).isoformat(),
                "detail": self._on[alarm].detail,
                "next": alarm.next_en,
                "next_zh": alarm.next_zh,
            }
            for alarm in Alarm
            if alarm in self._on
        ]


def read_alarms(folder: Path) -> list[dict[str, Any]]:
    """Return what the file of a state folder says; nothing where there is none.

    Raises
    ------
    BadInputError
        If it is not what an agent writes: a disk may have spoilt it.
    """
    path = folder / ALARMS_FILE
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(map(_is_alarm, found)):
        rule = "must be what the agent writes; start the agent, which writes it anew"
        raise BadInputError("alarms", rule, "something else", str(path))
    return found


def _is_alarm(one: object) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(name), kind) for name, kind in _SHOWN.items())
