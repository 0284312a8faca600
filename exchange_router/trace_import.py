"""`trace import`: public matrices become a scenario, a matrix series and, by a stated arrival model, a trace."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import scenarios
from exchange_router import console
from exchange_router.options import AsJson, Seed
from exchange_router.provenance import PACKAGE, command, provenance
from router_core.calendar import LOCAL_TIME
from router_core.errors import BadInputError
from router_core.platform import Platform
from router_core.units import SECOND_NS
from traces.importers.arrivals import ArrivalModel, exchanges_of
from traces.importers.files import ImportResult, import_files
from traces.importers.reading import Options
from traces.matrices import write_series
from traces.schema import trace_info
from traces.writer import TraceWriter


def import_trace(
    files: Annotated[list[Path], typer.Argument(help="Topology and matrices, in any order.  拓扑与矩阵文件。")],
    out: Annotated[Path, typer.Option(help="Folder for the results.  输出目录。")],
    file_format: Annotated[
        str | None, typer.Option("--format", help="sndlib, totem or repetita (default: by content).  文件格式。")
    ] = None,
    topology: Annotated[
        Path | None, typer.Option(help="File with the topology, where matrices have none; .npz will do.  拓扑文件。")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the scenario.  场景名。")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of XML files that state none.  单位。")] = None,
    first_node_id: Annotated[
        int | None, typer.Option(help="Number of the first node in TOTEM files.  首节点号。")
    ] = None,
    headroom: Annotated[
        float, typer.Option(help="A demand above so many times the lines' capacity is set aside.  容量倍数上限。")
    ] = 10.0,
    interval_s: Annotated[
        int | None,
        typer.Option(help="Seconds from one matrix to the next, where files state no time.  矩阵间隔（秒）。"),
    ] = None,
    trace: Annotated[bool, typer.Option(help="Draw a trace too.  同时生成交换轨迹。")] = True,
    mean_mb: Annotated[float, typer.Option(help="Mean size of an exchange of the trace [MB].  平均交换大小。")] = 16.0,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Import SNDlib XML, TOTEM XML or REPETITA files.  导入 SNDlib、TOTEM 或 REPETITA 数据。"""
    if not 0.001 <= mean_mb <= 1_000:
        raise BadInputError("--mean-mb", "must lie in 0.001..1000", mean_mb)
    found = import_files(
        files,
        file_format,  # type: ignore[arg-type]  # checked by import_files, by name
        topology=topology,
        options=Options(name=name, unit=unit, first_node_id=first_node_id, interval_s=interval_s, headroom=headroom),
    )
    line = command(
        "trace", "import", *(path.name for path in files), format=file_format, topology=topology and topology.name,
        name=name, unit=unit, first_node_id=first_node_id, headroom=headroom, interval_s=interval_s,
        mean_mb=mean_mb, seed=seed,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    shape = found.topology
    cables = shape.cables()  # a scenario's line carries both ways
    scenario_file = out / "scenario.toml"
    scenarios.write_topology(
        scenario_file,
        shape.name,
        list(shape.node_names),
        [(float(x), float(y)) for x, y in shape.xy],
        [(int(a), int(b)) for a, b in cables.lines],
        cables.rate_mbps.tolist(),
        f"{shape.name}, imported",
    )
    platform = scenarios.load(str(scenario_file))
    written: dict[str, Any] = {"scenario": str(scenario_file)}
    if found.series is not None:
        write_series(out / "matrices.npz", found.series)
        written["matrices"] = str(out / "matrices.npz")
        if trace:
            written["trace"] = str(out / "trace.parquet")
            written["exchanges"] = _draw(out / "trace.parquet", found, platform, line, mean_mb, seed)
    document = {
        "provenance": provenance(line, scenario=platform.name, scenario_digest=platform.digest, seed=seed),
        "format": found.file_format,
        "nodes": shape.node_count,
        "lines": len(shape.lines),
        "matrices": 0 if found.series is None else len(found.series.t_utc),
        "quarantined": [{"file": file, "reason": reason} for file, reason in found.quarantined],
        "notes": list(found.notes),
        "written": written,
    }
    for file, reason in found.quarantined:
        console.say(f"quarantined {file}: {reason}")
    text = console.text
    facts = [
        (text("format", "格式"), found.file_format),
        (text("nodes / lines", "节点 / 线路"), f"{shape.node_count} / {len(shape.lines)}"),
        (text("matrices", "矩阵"), str(document["matrices"])),
        (text("quarantined", "隔离"), str(len(found.quarantined))),
        *((text("note", "说明"), note) for note in found.notes),
        *((key, str(value)) for key, value in written.items()),
    ]
    console.emit(document, as_json, console.facts(text("Import", "导入"), facts))


def _draw(path: Path, found: ImportResult, platform: Platform, line: str, mean_mb: float, seed: int) -> int:
    """Write the trace of a series by the arrival model and return its number of exchanges."""
    series = found.series
    assert series is not None, "the caller has a series"
    network = platform.network
    endpoint = np.array([network.node_index[node] for node in found.topology.node_names], dtype=np.int32)
    model = ArrivalModel(mean_bytes=round(mean_mb * 1e6))
    batches = exchanges_of(series, endpoint, model, seed=seed, interval_s=found.interval_s)
    times = series.t_utc.astype(np.int64)
    interval_s = found.interval_s or int(np.diff(times).min())
    info = trace_info(
        platform,
        start=datetime.fromtimestamp(int(times[0]), UTC).astimezone(LOCAL_TIME),
        span_ns=int(times[-1] - times[0] + interval_s) * SECOND_NS,
        seed=seed,
        provenance={
            "command": line,
            "version": version(PACKAGE),
            "arrival_model": f"Poisson, {model.law} sizes of mean {model.mean_bytes} bytes and sigma {model.sigma}",
        },
    )
    with TraceWriter(path, info) as writer:
        for batch in batches:
            writer.write(batch)
        return writer.rows
