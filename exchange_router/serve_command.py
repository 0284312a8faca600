"""`serve`: gives front-ends their policies, and takes in their answers and telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router.options import Scenario


def serve(
    state: Annotated[Path, typer.Option(help="State folder, of this server alone.  状态目录。")],
    trust: Annotated[Path, typer.Option(help="Trust file: whose signatures count.  信任文件。")],
    scenario: Scenario = "jiangxi",
    listen: Annotated[str, typer.Option(help="host:port.  监听地址。")] = "127.0.0.1:8443",
    tls_cert: Annotated[Path | None, typer.Option(help="Server's certificate, PEM.  服务器证书。")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM, closed to others.  证书私钥。")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="Clients show certificates of this authority.  客户端证书的颁发机构。")
    ] = None,
    tokens: Annotated[Path | None, typer.Option(help="Token file of `policy token`.  令牌文件。")] = None,
    insecure_loopback: Annotated[
        bool, typer.Option("--insecure-loopback", help="No credentials, on this machine alone.  仅本机，无认证。")
    ] = False,
    bundle: Annotated[
        Path | None, typer.Option(help="Signed bundle to publish at the start.  启动时发布的策略包。")
    ] = None,
) -> None:
    """Serve policies to front-ends.  向前置节点提供策略。"""
    from exchange_router import serve_work  # noqa: PLC0415 - a web framework, which other commands do without

    serve_work.serve(
        serve_work.Serving(
            state=state,
            trust=trust,
            scenario=scenario,
            listen=listen,
            tls_cert=tls_cert,
            tls_key=tls_key,
            client_ca=client_ca,
            tokens=tokens,
            insecure_loopback=insecure_loopback,
            bundle=bundle,
        )
    )
