"""`policy rollback`: an old content as a new epoch, where no server with keys is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson, HardDays, SoftHours, ValidFrom
from router_core.errors import BadInputError


def rollback(
    bundle: Annotated[Path, typer.Argument(help="Bundle whose content is to hold again.  要恢复其内容的策略包。")],
    epoch: Annotated[int, typer.Option(min=2, help="Above every epoch published so far.  新纪元，须高于以往。")],
    out: Annotated[Path, typer.Option(help="Bundle to write, unsigned.  输出的策略包，未签名。")],
    valid_from: ValidFrom = None,
    soft_hours: SoftHours = 1.0,
    hard_days: HardDays = 14.0,
    as_json: AsJson = False,
) -> None:
    """Bring an old policy back as a new epoch.  以新纪元恢复旧策略。"""
    from exchange_router.bundle_files import expiries, moment_of, read_bundle, write_bundle  # noqa: PLC0415
    from feed.bundle.manifest import etag_of  # noqa: PLC0415
    from feed.bundle.restore import restored  # noqa: PLC0415

    old = read_bundle(bundle)
    if epoch <= old.manifest.epoch:
        raise BadInputError("--epoch", f"must be above {old.manifest.epoch}, that of the old bundle", epoch)
    begin = moment_of(valid_from, "--valid-from")
    soft_expiry, hard_expiry = expiries(begin, soft_hours, hard_days)
    fresh = restored(
        old,
        epoch=epoch,
        created=begin,
        valid_from=begin,
        soft_expiry=soft_expiry,
        hard_expiry=hard_expiry,
    )
    write_bundle(out, fresh)
    text = console.text
    document = {"out": str(out), "etag": etag_of(fresh), "epoch": epoch, "restores": old.manifest.epoch}
    rows = [
        (text("bundle", "策略包"), str(out)),
        (text("epoch", "纪元"), f"{epoch}, {etag_of(fresh)}"),
        (text("restores epoch", "恢复的纪元"), str(old.manifest.epoch)),
        (text("next", "下一步"), text("policy sign, then publish", "先 policy sign，再发布")),
    ]
    console.emit(document, as_json, console.facts(text("Back to an old policy", "恢复旧策略"), rows))
