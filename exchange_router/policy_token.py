"""`policy token`: credentials of one client, told once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson
from router_core.errors import BadInputError


def token(
    file: Annotated[Path, typer.Option(help="Token file of the server; made if absent.  令牌文件。")],
    name: Annotated[str, typer.Option(help="Name of the token: letters, digits, _ and -.  令牌名称。")],
    role: Annotated[str, typer.Option(help="agent, telemetry, admin or reader.  角色。")] = "agent",
    scope: Annotated[str | None, typer.Option(help="Endpoint that an agent speaks for.  前置节点范围。")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a token to a server's file, and tell it this once.  添加令牌，仅显示一次。"""
    from feed.server.auth import Role, add_token  # noqa: PLC0415 - other verbs need no server

    if role not in list(Role):
        raise BadInputError("--role", f"must be one of {', '.join(Role)}", role)
    secret = add_token(file, name, Role(role), scope)
    rows = [("token", secret), ("role", role), ("scope", scope or "-")]
    console.emit({"token": secret, "name": name, "role": role, "scope": scope}, as_json, console.facts(name, rows))
