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
    out: Annotated[
        Path | None, typer.Option(help="New file for the token, which is not shown then.  令牌另存文件。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a token to a server's file, and tell it this once.  添加令牌，仅显示一次。"""
    from feed.durable import write_durably  # noqa: PLC0415
    from feed.server.auth import Role, add_token  # noqa: PLC0415 - other verbs need no server
    from feed.signing.key_files import write_new  # noqa: PLC0415

    if role not in list(Role):
        raise BadInputError("--role", f"must be one of {', '.join(Role)}", role)
    if out is not None:
        write_new(out, b"")  # before the token counts: a file that cannot be made must not lose it
    try:
        secret = add_token(file, name, Role(role), scope)
    except BaseException:
        if out is not None:
            out.unlink()
        raise
    if out is not None:
        write_durably(out, f"{secret}\n".encode())
    told = {"token": secret} if out is None else {"token_file": str(out)}
    document = {**told, "name": name, "role": role, "scope": scope}
    text = console.text
    rows = [
        *((text(key.replace("_", " "), {"token": "令牌"}.get(key, "令牌文件")), value) for key, value in told.items()),
        (text("role", "角色"), role),
        (text("scope", "范围"), scope or "-"),
    ]
    console.emit(document, as_json, console.facts(name, rows))
