"""Targets: traces, published topologies and matrices, and arrays of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from random import Random

import numpy as np
import pyarrow.parquet as pq
from importer_twins import Twin, repetita_demands, repetita_graph, sndlib, totem, totem_domain

from fuzzing.containers import changed_npy, changed_parquet, changed_zip, members_of, parquet_of, zip_of
from fuzzing.mutating import scratched
from fuzzing.of_scenarios import toy
from fuzzing.target import Target, as_file, hold
from fuzzing.texts import changed_lines, changed_xml
from router_core.errors import BadInputError
from router_core.units import DAY_NS
from traces.generate import TraceGenerator
from traces.importers import ImportResult, Options, import_files, read_topology
from traces.matrices import Clock, MatrixSeries, read_series, write_series
from traces.reader import TraceReader
from traces.schema import METADATA_KEY, trace_info
from traces.surges import parse_surge
from traces.validate import validate_trace
from traces.writer import write_all

_CLOCK = Clock(np.datetime64("2024-03-01T00:00:00", "s"), 900)
_TWIN = Twin()


def _trace(data: bytes) -> object:
    path = as_file(data, "trace.parquet")
    with TraceReader(path) as reader:
        rows = sum(len(batch) for batch in reader.batches())
        hold("a trace has the rows that it says", rows == reader.rows, rows, reader.rows)
        info = reader.info
        hold("its information says it again", type(info.encode()) is bytes)
    report = validate_trace(path, toy())
    hold("every row is judged once", report.rows == rows >= report.bad_rows, report)
    hold("a trace that is refused says why", (report.error() is None) == (report.bad_rows == 0), report)
    if report.bad_rows == 0:
        whole = TraceReader(path).read_all(toy())
        again = as_file(b"", "trace-again.parquet")
        write_all(again, trace_info(toy(), start=info.start, span_ns=info.span_ns), whole)
        with TraceReader(again) as second:
            back = second.read_all()
        for name in ("submitted_ns", "source", "target", "payload_bytes", "deadline_ns"):
            hold("what is written is what was read", np.array_equal(getattr(whole, name), getattr(back, name)), name)
    return report


@cache
def _day() -> tuple[bytes, bytes]:
    generator = TraceGenerator(toy(), start=datetime(2026, 3, 17), seed=1, exchanges_per_day=120)
    path = as_file(b"", "seed.parquet")
    write_all(path, generator.info, next(iter(generator)))
    whole = path.read_bytes()
    write_all(path, trace_info(toy(), start=datetime(2026, 3, 17), span_ns=DAY_NS), next(iter(generator))[:5])
    return whole, path.read_bytes()


def _trace_seeds() -> list[bytes]:
    whole, small = _day()
    table = pq.read_table(as_file(small, "seed.parquet"))
    return [
        whole,
        small,
        parquet_of(table.slice(0, 0)),
        parquet_of(table, compression="zstd"),
        parquet_of(table, data_page_version="2.0"),
    ]


def _sound(result: ImportResult) -> ImportResult:
    """What the screen promises of an import."""
    hold("rates are positive", float(result.topology.rate_mbps.min()) > 0)
    if result.series is not None:
        hold(
            "demand is finite and not negative",
            np.isfinite(result.series.demand_mbps).all() and result.series.demand_mbps.min() >= 0,
        )
        hold("a series is of the topology's nodes", result.series.nodes == result.topology.node_names)
    return result


def _imported(kind: str, beside: bytes, name: str) -> object:
    """What an import of one changed file gives: beside a sound topology, then alone."""
    other = as_file(beside, f"{kind}-topology")

    def parse(data: bytes) -> object:
        path = as_file(data, name)
        try:
            return _sound(import_files([path, other], options=Options(interval_s=900)))
        except BadInputError:
            return _sound(import_files([path]))

    return parse


def _xml_or_lines(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    return (changed_xml if data.lstrip()[:1] == b"<" else changed_lines)(data, random, others)


def _sndlib_seeds() -> list[bytes]:
    texts = [
        sndlib(_TWIN, None, links=True),
        sndlib(_TWIN, _TWIN.demand()),
        sndlib(
            _TWIN,
            _TWIN.demand(),
            links=True,
            installed=False,
            modules=(155.0, 622.0),
            coordinates="pixel",
            routing_unit="2",
        ),
    ]
    return [text.encode() for text in texts] + [texts[0].encode("utf-16")]


def _totem_seeds() -> list[bytes]:
    return [
        totem_domain(_TWIN).encode(),
        totem(_TWIN.demand(), ids=_TWIN.names).encode(),
        totem(_TWIN.demand()).encode(),
    ]


def _repetita_seeds() -> list[bytes]:
    return [repetita_graph(_TWIN).encode(), repetita_demands(_TWIN.demand()).encode()]


def _matrices(data: bytes) -> object:
    path = as_file(data, "matrices.npz")
    taken: object = None
    with suppress(BadInputError):
        taken = read_topology(path)
    series = read_series(path, _CLOCK)
    again = as_file(b"", "matrices-again.npz")
    write_series(again, series)
    back = read_series(again)
    hold(
        "what is written is what was read",
        np.array_equal(series.demand_mbps, back.demand_mbps) and series.nodes == back.nodes,
    )
    hold("so are its times", np.array_equal(series.t_utc, back.t_utc))
    return taken or series


def _matrices_seeds() -> list[bytes]:
    count = len(_TWIN.names)
    series = MatrixSeries(
        np.stack([_TWIN.demand(seed) for seed in (1, 2)]),
        _CLOCK.times(2),
        tuple(_TWIN.names),
        np.array(_TWIN.lines),
        False,
        np.array(_TWIN.rates),
        np.arange(len(_TWIN.lines), dtype=np.float64),
    )
    path = as_file(b"", "matrices-seed.npz")
    write_series(path, series)
    whole = path.read_bytes()
    members = members_of(whole) or {}
    named = {
        "links.npy": members["links_undirected.npy"],
        "capacity.npy": members["capacity_mbps.npy"],
        "demand.npy": members["demand_mbps.npy"],
    }
    hold("the seeds are of the twin", count == 4)
    return [whole, zip_of(named, 8), zip_of({name: data for name, data in members.items() if name != "t_utc.npy"}, 8)]


def _surge(data: bytes) -> object:
    spec = parse_surge(data.decode("utf-8", "surrogateescape"))
    hold("the name of a surge says that surge", parse_surge(spec.name).kind == spec.kind, spec)
    return spec


def _surge_seeds() -> list[bytes]:
    return [b"deadline@2026-03-17T17:00x5", b"emergency", b"correctionx2.5", b"enrolment@2026-03-17T00:00"]


def _npz(name: str) -> object:
    return changed_npy if name.endswith(".npy") else scratched


_BESIDE = sndlib(_TWIN, None, links=True).encode()
TARGETS = (
    Target(
        "trace",
        "a trace, `traces.reader` and `traces.validate`",
        _trace,
        _trace_seeds,
        changed_parquet(METADATA_KEY),
        cost=3.0,
    ),
    Target(
        "sndlib",
        "SNDlib's XML, `traces.importers`",
        _imported("sndlib", _BESIDE, "net.xml"),
        _sndlib_seeds,
        _xml_or_lines,
        cost=0.8,
    ),
    Target(
        "totem",
        "TOTEM's XML, `traces.importers`",
        _imported("totem", totem_domain(_TWIN).encode(), "tm.xml"),
        _totem_seeds,
        _xml_or_lines,
        cost=0.8,
    ),
    Target(
        "repetita",
        "REPETITA's texts, `traces.importers`",
        _imported("repetita", repetita_graph(_TWIN).encode(), "tm.demands"),
        _repetita_seeds,
        _xml_or_lines,
        cost=0.5,
    ),
    Target(
        "matrices",
        "an .npz of a matrix series, `traces.matrices`, `traces.importers.read_topology`",
        _matrices,
        _matrices_seeds,
        changed_zip(_npz),
        cost=1.5,
    ),
    Target(
        "surge",
        "a surge of the command line, `traces.surges.parse_surge`",
        _surge,
        _surge_seeds,
        changed_lines,
        cost=0.03,
    ),
)
