"""`policy export`: the tables that NiFi reads, or the documents of a bundle as plain files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson
from router_core.errors import BadInputError


def export(
    bundle: Annotated[Path, typer.Argument(help="Bundle or package.  策略包。")],
    nifi: Annotated[Path | None, typer.Option(help="Folder for the tables that NiFi reads.  NiFi 查找表目录。")] = None,
    documents: Annotated[
        Path | None, typer.Option("--documents", help="Folder for all documents.  全部文档的目录。")
    ] = None,
    scope: Annotated[str | None, typer.Option(help="Only what this front-end needs.  仅限该前置节点。")] = None,
    at: Annotated[
        str | None, typer.Option(help="Tables of this local time (default: begin of validity).  时刻。")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="Name or TOML file (default: the bundle's).  场景名或 TOML 文件。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a bundle's tables for NiFi, or its documents.  导出 NiFi 查找表或全部文档。"""
    from exchange_router.bundle_files import moment_of, platform_of, read_bundle  # noqa: PLC0415 - help needs none
    from feed.bundle.documents import MANIFEST_FILE, NIFI_NAMES_FILE, nifi_file  # noqa: PLC0415
    from feed.bundle.nifi import nifi_csv  # noqa: PLC0415
    from feed.bundle.package import package  # noqa: PLC0415
    from feed.bundle.parsed import parse  # noqa: PLC0415
    from feed.clock import instant_of, local_of  # noqa: PLC0415
    from feed.durable import READABLE, write_durably  # noqa: PLC0415

    if nifi is None and documents is None:
        raise BadInputError("--nifi", "must be given, or --documents", None)
    held = read_bundle(bundle, package=True)
    if scope is not None:
        held = package(held, scope)
    parsed = parse(held)
    written: list[str] = []

    def write(path: Path, data: bytes) -> None:
        write_durably(path, data, READABLE)
        written.append(str(path))

    if nifi is not None:
        network = platform_of(held, scenario).network
        moment = parsed.manifest.valid_from if at is None else moment_of(at, "--at")
        slot = parsed.clock().slot_at(local_of(instant_of(moment)))
        dynamic = parsed.manifest.valid_from <= moment < parsed.manifest.soft_expiry
        write(nifi / "names.csv", held.files[NIFI_NAMES_FILE])
        for group in parsed.routes:
            name = "routes.csv" if scope is not None else nifi_file(group).removeprefix("nifi/")
            write(nifi / name, nifi_csv(network, parsed, group, slot, dynamic=dynamic))
    if documents is not None:
        for path, data in {MANIFEST_FILE: held.manifest_json, **held.files}.items():
            write(documents / path, data)
    text = console.text
    rows = [(text("files", "文件数"), f"{len(written):,}"), (text("first", "首个"), written[0])]
    console.emit({"bundle": str(bundle), "files": written}, as_json, console.facts(text("Written", "已导出"), rows))
