"""`policy build`: a bundle from what `brain fit` planned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson, HardDays, SoftHours, ValidFrom
from exchange_router.provenance import command, file_digest, made_by
from router_core.units import HOUR_NS


def build(
    prepared: Annotated[Path, typer.Option(help="Brain file of `brain fit`.  学习所得文件。")],
    out: Annotated[Path, typer.Option(help="Bundle to write, unsigned.  输出的策略包，未签名。")],
    scenario: Annotated[
        str | None, typer.Option(help="Name or TOML file (default: the brain file's).  场景名或 TOML 文件。")
    ] = None,
    epoch: Annotated[int, typer.Option(min=1, help="Must grow with every publication.  纪元，逐次递增。")] = 1,
    valid_from: ValidFrom = None,
    soft_hours: SoftHours = 1.0,
    hard_days: HardDays = 14.0,
    hold_hours_max: Annotated[
        float, typer.Option(min=0, max=8760, help="Guard: no hold is longer.  护栏：最长延后（小时）。")
    ] = 24.0,
    moved_max: Annotated[
        float,
        typer.Option(min=0, max=1, help="Guard: share of routes moved at once.  护栏：一次可变更的比例。"),
    ] = 1.0,
    reachable_min: Annotated[
        float, typer.Option(min=0, max=1, help="Guard: share of targets that stay reachable.  护栏：可达目标比例。")
    ] = 0.9,
    as_json: AsJson = False,
) -> None:
    """Make an unsigned bundle of a static plan.  由静态预案生成未签名的策略包。"""
    import scenarios  # noqa: PLC0415 - help and other verbs need none of these
    from exchange_router.bundle_files import expiries, moment_of, write_bundle  # noqa: PLC0415
    from feed.bundle.compose import Composer, PolicyContent  # noqa: PLC0415
    from feed.bundle.documents import GuardsDocument  # noqa: PLC0415
    from feed.bundle.manifest import etag_of, make_bundle  # noqa: PLC0415
    from sim.brain_file import read_brain, read_provenance  # noqa: PLC0415

    begin = moment_of(valid_from, "--valid-from")
    soft_expiry, hard_expiry = expiries(begin, soft_hours, hard_days)
    origin = read_provenance(prepared)
    platform = scenarios.load(scenario or str(origin.get("scenario_option", origin.get("scenario"))))
    plan = read_brain(prepared, platform).prepared
    line = command(
        "policy", "build", prepared=prepared.name, scenario=platform.name, epoch=epoch, valid_from=begin.isoformat(),
        soft_hours=soft_hours, hard_days=hard_days, hold_hours_max=hold_hours_max, moved_max=moved_max,
        reachable_min=reachable_min,
    )  # fmt: skip
    composer = Composer(platform.network)
    guards = GuardsDocument(
        hold_ns_max=round(hold_hours_max * HOUR_NS),
        moved_share_max=moved_max,
        reachable_share_min=reachable_min,
    )
    content = PolicyContent(plan.plan, plan.classes, {}, None)
    bundle = make_bundle(
        composer.compose(content, guards, valid_from=begin),
        epoch=epoch,
        created=begin,
        valid_from=begin,
        soft_expiry=soft_expiry,
        hard_expiry=hard_expiry,
        topology=platform.network.digest,
        scenario=platform.name,
        inputs={"brain-file": file_digest(prepared), "scenario": platform.digest},
        provenance={name: str(value) for name, value in made_by(line).items()} | {"brain": "static"},
        known=composer.entries,
    )
    size = write_bundle(out, bundle)
    text = console.text
    document = {
        "out": str(out),
        "bytes": size,
        "etag": etag_of(bundle),
        "manifest": bundle.manifest.model_dump(mode="json", exclude={"files"}),
        "files": len(bundle.files),
    }
    rows = [
        (text("bundle", "策略包"), f"{out}, {console.size(size)}"),
        (text("epoch", "纪元"), f"{epoch}, {etag_of(bundle)}"),
        (text("valid from", "生效"), begin.isoformat()),
        (
            text("next", "下一步"),
            text("policy check, then policy sign", "先 policy check，再 policy sign"),
        ),
    ]
    console.emit(document, as_json, console.facts(text("Built", "已生成"), rows))
