"""`policy diff`: what differs between two bundles."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson


def diff(
    before: Annotated[Path, typer.Argument(help="Bundle or package.  原策略包。")],
    after: Annotated[Path, typer.Argument(help="Another one of the same network.  新策略包。")],
    delta: Annotated[Path | None, typer.Option(help="Write what turns the first into the second.  输出增量。")] = None,
    top: Annotated[int, typer.Option(min=0, max=100_000, help="How many pairs to show.  显示的节点组对数。")] = 10,
    as_json: AsJson = False,
) -> None:
    """Tell what differs between two bundles, pair by pair.  比较两个策略包。"""
    from exchange_router.bundle_files import read_bundle  # noqa: PLC0415 - help needs none of these
    from feed.bundle.changes import changes  # noqa: PLC0415
    from feed.bundle.delta import diff as delta_of  # noqa: PLC0415
    from feed.bundle.parsed import parse  # noqa: PLC0415
    from feed.durable import READABLE, write_durably  # noqa: PLC0415

    held = [read_bundle(path, package=True) for path in (before, after)]
    found = changes(*(parse(bundle) for bundle in held))
    size = None
    if delta is not None:
        data = delta_of(*held)
        write_durably(delta, data, READABLE)
        size = len(data)
    document = {
        "before": {"file": str(before), "epoch": held[0].manifest.epoch, "content": held[0].manifest.content},
        "after": {"file": str(after), "epoch": held[1].manifest.epoch, "content": held[1].manifest.content},
        "delta": None if delta is None else {"file": str(delta), "bytes": size},
        "files": list(found.files),
        "appeared": [list(pair) for pair in found.appeared],
        "vanished": [list(pair) for pair in found.vanished],
        "moved": len(found.moved),
        "reordered": found.reordered,
        "pairs": found.pairs,
        "slots_differ": found.slots_differ,
        "top": [asdict(one) for one in found.moved[:top]],
    }
    text = console.text
    rows = [
        (text("epochs", "纪元"), f"{held[0].manifest.epoch} → {held[1].manifest.epoch}"),
        (text("files that differ", "不同的文件"), f"{len(found.files):,}"),
        (text("pairs of groups in both", "两者共有的组对"), f"{found.pairs:,}"),
        (text("moved", "路径有变"), f"{len(found.moved):,}"),
        (text("other unused ways", "仅备用路径不同"), f"{found.reordered:,}"),
        (text("new", "新增"), f"{len(found.appeared):,}"),
        (text("gone", "消失"), f"{len(found.vanished):,}"),
    ]
    if found.slots_differ:
        rows.append((text("slots", "时隙"), text("differ; compared by number", "不同；按序号比较")))
    if size is not None:
        rows.append((text("delta", "增量"), f"{delta}, {console.size(size)}"))
    shown = console.table(
        text("Moved most", "变化最大"),
        text("from", "来源"),
        text("to", "目标"),
        text("share, by plan", "比例（静态）"),
        text("share, at once", "比例（即时）"),
    )
    for one in found.moved[:top]:
        shown.add_row(one.source, one.target, f"{one.planned:.1%}", f"{one.now:.1%}")
    console.emit(
        document, as_json, console.facts(text("Changes", "变化"), rows), *([shown] if found.moved[:top] else [])
    )
