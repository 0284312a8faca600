"""`policy verify`: every check that a reader makes and that needs no memory of earlier bundles."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

import scenarios
from exchange_router import console
from exchange_router.bundle_files import moment_of
from exchange_router.options import AsJson
from feed.bundle.archive import Limits, check_files, opened
from feed.bundle.bundle import Bundle
from feed.bundle.manifest import check_signature, etag_of
from feed.bundle.parsed import Parsed, parse
from feed.clock import instant_of
from feed.refusals import Refusal, RefusedBundleError
from feed.signing.dsse import PAYLOAD_TYPE, open_envelope
from feed.signing.trust import Trust, read_trust
from router_core.errors import BadInputError
from router_core.network import Network


def verify(
    bundle: Annotated[Path, typer.Argument(help="Bundle, or package of one front-end.  策略包，或某前置节点的分包。")],
    trust: Annotated[Path, typer.Option(help="Trust file.  信任文件。")],
    scenario: Annotated[
        str | None,
        typer.Option(help="Scenario that it must be made for; else topology stays unchecked.  场景。"),
    ] = None,
    scope: Annotated[
        str | None, typer.Option(help="It is the package of this front-end (with --scenario).  前置节点。")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Time to check at, e.g. 2026-03-17T10:05 (default: now).  校验时刻。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check size, signatures, files, validity, topology, schema, routes; exit 1 if it is refused.  校验策略包。"""
    if scope is not None and scenario is None:
        raise BadInputError("--scope", "must go with --scenario", scope)
    when = moment_of(at, "--at")
    network = None if scenario is None else scenarios.load(scenario).network
    if scope is not None and network is not None:
        node = network.node_index.get(scope)
        if node is None or not network.is_endpoint[node]:
            raise BadInputError("--scope", "must be the name of an endpoint of the scenario", scope)
    trusted, limits = read_trust(trust), Limits()
    try:
        found = opened(_read(bundle, limits.bundle_bytes_max), limits)
        _check(found, trusted, when, network, scope)
    except RefusedBundleError as refused:
        _emit_refused(bundle, refused, as_json)
        raise
    _emit_accepted(bundle, found, trusted, when, network is not None, as_json)


def _read(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise RefusedBundleError(Refusal.OVERSIZED, f"{path}: must have at most {bytes_max} bytes")
    return data


def _check(bundle: Bundle, trust: Trust, at: datetime, network: Network | None, scope: str | None) -> None:
    """The order is that of `feed.agent.checks`."""
    from feed.agent.checks import check_validity  # noqa: PLC0415 - it compiles kernels that `sign` does without

    check_signature(bundle, trust, at)
    check_files(bundle, package=scope is not None)
    check_validity(bundle.manifest, instant_of(at))
    if network is not None and bundle.manifest.topology != network.digest:
        detail = f"manifest.json: topology must be {network.digest[:16]}..., of the scenario"
        raise RefusedBundleError(Refusal.WRONG_TOPOLOGY, f"{detail}, not {bundle.manifest.topology[:16]}...")
    parsed = parse(bundle)
    if network is not None:
        _check_meaning(bundle, parsed, network, scope)


def _check_meaning(bundle: Bundle, parsed: Parsed, network: Network, scope: str | None) -> None:
    from feed.agent.meaning import check_meaning, check_scope  # noqa: PLC0415

    groups = sorted(parsed.routes) if scope is None else [check_scope(network, parsed, bundle.files.keys(), scope)]
    for group in groups:
        check_meaning(network, parsed, group)


def _emit_refused(file: Path, refused: RefusedBundleError, as_json: bool) -> None:
    text = console.text
    told = text(refused.refusal.next_en, refused.refusal.next_zh)
    document = {
        "file": str(file),
        "accepted": False,
        "refusal": refused.refusal.value,
        "detail": refused.detail,
        "next": told,
    }
    rows = [
        (text("refused", "拒绝原因"), refused.refusal.value),
        (text("detail", "详情"), refused.detail),
        (text("next", "下一步"), told),
    ]
    console.emit(document, as_json, console.facts(str(file), rows))


def _emit_accepted(file: Path, bundle: Bundle, trust: Trust, at: datetime, topology: bool, as_json: bool) -> None:
    text, manifest = console.text, bundle.manifest
    names = [name for name, _ in open_envelope(bundle.envelope_json or b"", PAYLOAD_TYPE).signatures]
    signed = sorted({name for name in names if trust.flaw(name, at) is None})
    document: dict[str, Any] = {
        "file": str(file),
        "accepted": True,
        "etag": etag_of(bundle),
        "epoch": manifest.epoch,
        "scenario": manifest.scenario,
        "topology_checked": topology,
        "signed_by": signed,
        "threshold": trust.threshold,
        "soft_expiry": manifest.soft_expiry.isoformat(),
        "hard_expiry": manifest.hard_expiry.isoformat(),
    }
    rows = [
        (text("epoch", "纪元"), str(manifest.epoch)),
        (text("scenario", "场景"), manifest.scenario),
        (
            text("topology", "拓扑"),
            text("as of the scenario", "与场景一致") if topology else text("not checked", "未校验"),
        ),
        (text("dynamic layer until", "动态层有效至"), manifest.soft_expiry.isoformat()),
        (text("valid until", "有效期至"), manifest.hard_expiry.isoformat()),
        *((text("signed by", "签名密钥"), name) for name in signed),
    ]
    console.emit(document, as_json, console.facts(text(f"{file}: accepted", f"{file}：通过"), rows))
