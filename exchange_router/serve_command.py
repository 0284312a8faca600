"""`serve`: gives front-ends their policies, and takes in their answers and telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router.options import Scenario
from router_core.errors import BadInputError


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
    prepared: Annotated[
        Path | None, typer.Option(help="Brain file of `brain fit`: the brain works on telemetry.  策略文件。")
    ] = None,
    brain: Annotated[str, typer.Option(help="static or dynamic.  调度策略。")] = "dynamic",
    setting: Annotated[
        Path | None, typer.Option(help="Setting file of the dynamic policy, as `tune` writes it.  动态策略参数文件。")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="Signer, e.g. file:PATH; may be repeated, until the threshold is met.  签名密钥。"),
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Compute and record, publish nothing.  影子运行：只计算与记录。")
    ] = False,
    record: Annotated[Path | None, typer.Option(help="Folder for recordings, for `policy rerun`.  记录目录。")] = None,
    telemetry_s: Annotated[float, typer.Option(help="Length of a window of telemetry [s].  遥测窗口（秒）。")] = 60.0,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="Rule of `policy check` that its policies may break, e.g. change.  允许违反的检查规则。"),
    ] = None,
) -> None:
    """Serve policies to front-ends; with --prepared, those of a brain at work.  向前置节点提供策略。"""
    from exchange_router import serve_work  # noqa: PLC0415 - a web framework, which other commands do without
    from exchange_router.serve_centre import Centre  # noqa: PLC0415

    if prepared is None and (setting is not None or key or shadow or record is not None or allow):
        raise BadInputError("--prepared", "must be given with --setting, --key, --shadow, --record and --allow", None)
    centre = None
    if prepared is not None:
        centre = Centre(prepared, brain, setting, tuple(key or ()), shadow, record, telemetry_s, tuple(allow or ()))
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
            centre=centre,
        )
    )
