"""Why a bundle is refused, and what the operator does next; one table for agents, server and command line."""

from __future__ import annotations

from enum import StrEnum

from router_core.errors import ExchangeRouterError


class Refusal(StrEnum):
    """The first rule that a bundle breaks, in the order in which it is checked."""

    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    BELOW_THRESHOLD = "below-threshold"
    ALTERED = "altered"
    EPOCH_ROLLED_BACK = "epoch-rolled-back"
    REPLAYED = "replayed"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    WRONG_TOPOLOGY = "wrong-topology"
    SCHEMA = "schema"
    WRONG_SCOPE = "wrong-scope"
    GUARD = "guard"
    PINNED = "pinned"
    PROBE_FAILED = "probe-failed"

    @property
    def next_en(self) -> str:
        """What the operator does next, in English."""
        return _NEXT[self][0]

    @property
    def next_zh(self) -> str:
        """What the operator does next, in Chinese."""
        return _NEXT[self][1]


_NEXT: dict[Refusal, tuple[str, str]] = {
    Refusal.OVERSIZED: (
        "check what answered in the server's place; raise the limit only if the platform has grown",
        "检查应答方是否为真正的服务器；仅当平台确已扩容时才提高上限",
    ),
    Refusal.MALFORMED: ("fetch it again; if it stays so, build it anew", "重新获取；仍然如此则重新构建"),
    Refusal.UNSIGNED: ("sign it with `policy sign`", "用 `policy sign` 签名"),
    Refusal.UNKNOWN_KEY: (
        "compare the key with the trust file; install the rotated trust file, or revoke the key",
        "核对密钥与信任文件；安装轮换后的信任文件，或吊销该密钥",
    ),
    Refusal.BAD_SIGNATURE: (
        "treat it as forged: keep it for the audit, and find out where it came from",
        "按伪造处理：留存备查，并追查来源",
    ),
    Refusal.BELOW_THRESHOLD: ("let further key holders sign it", "请其他密钥持有人补签"),
    Refusal.ALTERED: ("fetch it again; if it stays so, treat it as tampered with", "重新获取；仍然如此则按篡改处理"),
    Refusal.EPOCH_ROLLED_BACK: (
        "to go back, publish the old content as a new epoch with `policy rollback`",
        "如需回退，请用 `policy rollback` 以新纪元发布旧内容",
    ),
    Refusal.REPLAYED: (
        "two contents claim one epoch: find out which one was published, and publish a new epoch",
        "同一纪元出现两份内容：查明哪一份是已发布的，并发布新纪元",
    ),
    Refusal.NOT_YET_VALID: ("check this machine's clock, then wait", "检查本机时钟，然后等待"),
    Refusal.EXPIRED: ("check this machine's clock; then publish a new epoch", "检查本机时钟；然后发布新纪元"),
    Refusal.WRONG_TOPOLOGY: (
        "build it for the scenario in use here, or install the new scenario here first",
        "按此处所用场景重新构建，或先在此处安装新场景",
    ),
    Refusal.SCHEMA: (
        "update the older side: builder and reader must know the same schema version",
        "升级较旧的一方：构建方与读取方须使用同一模式版本",
    ),
    Refusal.WRONG_SCOPE: ("ask the server for this front-end's own scope", "向服务器请求本前置节点自身的范围"),
    Refusal.GUARD: (
        "run `policy check` on it; if the change is meant, publish it with --allow",
        "用 `policy check` 检查；若确属有意变更，请以 --allow 发布",
    ),
    Refusal.PINNED: (
        "take the pin off with `agent --unpin` when the reason for it is gone",
        "原因消除后用 `agent --unpin` 解除固定",
    ),
    Refusal.PROBE_FAILED: (
        "look at this front-end's lines; the last good policy stays in force",
        "检查本前置节点的线路；上一份有效策略继续生效",
    ),
}


class RefusedBundleError(ExchangeRouterError):
    """A bundle that breaks a rule; nothing of it takes effect.

    Parameters
    ----------
    refusal : Refusal
    detail : str
        Place, rule and value; never key material, a token or a payload.
    """

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(refusal, detail)
        self.refusal = refusal
        self.detail = "".join(char if char.isprintable() else " " for char in detail)[:500]

    def __str__(self) -> str:
        return f"{self.refusal.value}: {self.detail}; next: {self.refusal.next_en}"
