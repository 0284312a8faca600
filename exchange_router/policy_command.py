"""`policy`: one module a verb; each is loaded when it is called."""

from __future__ import annotations

from typing import Final

import typer

from exchange_router.lazy_commands import Place, lazy_group, register

VERBS: Final = {
    "key": Place("policy_key", "app", "Signing keys: make, show.  签名密钥：生成、查看。"),
    "trust": Place(
        "policy_trust",
        "app",
        "Trust files: make, rotate, sign, accept, show.  信任文件：新建、轮换、签名、启用、查看。",
    ),
    "build": Place(
        "policy_build", "build", "Make an unsigned bundle of a static plan.  由静态预案生成未签名的策略包。"
    ),
    "check": Place(
        "policy_check",
        "check",
        "Check a bundle before it is published; exit code 1 if it must not be.  发布前检查策略包。",
    ),
    "sign": Place(
        "policy_sign", "sign", "Sign a bundle whose files are those of its manifest.  核对文件清单后签署策略包。"
    ),
    "verify": Place(
        "policy_verify",
        "verify",
        "Check size, signatures, files, validity, topology, schema, routes; exit 1 if it is refused.  校验策略包。",
    ),
    "show": Place(
        "policy_show",
        "show",
        "Show what a bundle holds; nobody's signature is checked, `policy verify` does that.  查看策略包内容。",
    ),
    "diff": Place("policy_diff", "diff", "Tell what differs between two bundles, pair by pair.  比较两个策略包。"),
    "export": Place(
        "policy_export",
        "export",
        "Write a bundle's tables for NiFi, or its documents.  导出 NiFi 查找表或全部文档。",
    ),
    "rollback": Place("policy_rollback", "rollback", "Bring an old policy back as a new epoch.  以新纪元恢复旧策略。"),
    "rerun": Place(
        "policy_rerun",
        "rerun",
        "Tell a new brain what a live run was told; its commands must be the same.  离线重放实时运行，命令须完全一致。",
    ),
    "explain": Place(
        "policy_explain",
        "explain",
        "Explain a route: what was known, how old, what alternatives cost.  解释路由：所知信息、时龄、备选代价。",
    ),
    "schema": Place(
        "policy_schema",
        "schema",
        "Write the JSON Schema (2020-12) of every document of a bundle.  输出策略包各文档的 JSON Schema。",
    ),
    "token": Place(
        "policy_token", "token", "Add a token to a server's file, and tell it this once.  添加令牌，仅显示一次。"
    ),
}

app = typer.Typer(
    cls=lazy_group(VERBS),
    help="Policies: signed bundles, and why a route is taken.  策略：签名策略包与路由缘由。",
    no_args_is_help=True,
    rich_markup_mode=None,
)
register(app, VERBS)


@app.callback()
def policies() -> None:
    """Policies: signed bundles, and why a route is taken.  策略：签名策略包与路由缘由。"""
