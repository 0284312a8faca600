"""Makes small, plausible result folders: a province whose days are drawn, not replayed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.units import DAY_NS, MINUTE_NS, MS_NS, SECOND_NS, ps_per_byte
from router_core.vocabulary import Level, Mode, NodeKind, StationRole
from sim.result_folder import write_metrics, write_network, write_pairs, write_run, write_station_slots
from sim.results import (
    NO_TIME_NS,
    BrainMetrics,
    ChunkCounts,
    Completion,
    CompletionTable,
    Counts,
    PairTable,
    Provenance,
    Run,
    ScenarioTitle,
    StationLoad,
    StationSlots,
    Tail,
    TailTable,
    Tide,
    network_table,
)

SLOT_NS = 15 * MINUTE_NS
SLOTS = 98  # half an hour goes by before the last exchange has arrived
BRAINS = ("shortest-path", "ecmp")
CITIES = (
    ("nanchang", "南昌", 115.86, 28.68),
    ("jiujiang", "九江", 115.99, 29.71),
    ("jingdezhen", "景德镇", 117.18, 29.27),
    ("pingxiang", "萍乡", 113.85, 27.62),
    ("xinyu", "新余", 114.92, 27.82),
    ("yingtan", "鹰潭", 117.07, 28.26),
    ("ganzhou", "赣州", 114.93, 25.83),
    ("jian", "吉安", 114.99, 27.11),
    ("yichun", "宜春", 114.42, 27.81),
    ("fuzhou", "抚州", 116.36, 27.95),
    ("shangrao", "上饶", 117.94, 28.45),
)
HOURS = np.array([3, 3, 2, 2, 1, 1, 1, 2, 5, 9, 10, 9, 6, 7, 9, 10, 9, 6, 4, 3, 3, 4, 5, 4]) / 10.0
# Exchanges a day, median latency [ms], spread, median size [bytes]: docking, front_end, query, batch.
MODES = {
    Mode.DOCKING: (60_000, 180, 0.7, 8_000),
    Mode.FRONT_END: (12_000, 2_500, 1.0, 900_000),
    Mode.QUERY: (90_000, 90, 0.5, 2_000),
    Mode.BATCH: (1_500, 60_000, 1.1, 30_000_000),
}


def make_results(folder: Path, *, cities: int = 11, counties: int = 4, seed: int = 1, rename: str = "{}") -> Path:
    """Write a result folder; `rename` is applied to every name and label of a node, and to the titles."""
    network = make_network(cities, counties, seed, rename)
    write_network(folder, network_table(network))
    for order, brain in enumerate(BRAINS):
        rng = np.random.default_rng([seed, order])
        slots = make_slots(network, rng, balanced=order > 0)
        write_station_slots(folder, brain, [slots])
        write_pairs(folder, brain, make_pairs(network, rng))
        write_metrics(folder, make_metrics(brain, network, slots, seed, slowness=(1.6, 1.0)[order]))
    provenance = Provenance(
        command="exchange-router replay --scenario jiangxi --trace trace.parquet --seed 1 --out run",
        version="0.1.0",
        commit="0123456789abcdef0123456789abcdef01234567",
        scenario="jiangxi",
        scenario_digest="5f2a" * 16,
        trace_digest="c01d" * 16,
        seed=seed,
    )
    title = ScenarioTitle(
        name="jiangxi",
        title_en=rename.format("Jiangxi provincial data exchange"),
        title_zh=rename.format("江西省电子政务共享数据统一交换平台"),
    )
    run = Run(
        provenance=provenance,
        scenario=title,
        start=datetime(2018, 11, 7),
        slot_ns=SLOT_NS,
        brains=list(BRAINS),
    )
    write_run(folder, run)
    return folder


def make_network(cities: int, counties: int, seed: int, rename: str) -> Network:
    """Build a province: its centre, cities and counties, two routers a site, two carriers, some front-ends."""
    rng = np.random.default_rng(seed)
    builder = NetworkBuilder(zones=("outer",), carriers=("carrier-a", "carrier-b"))
    quick, slow = Service(8, 1000, 10), Service(4, 200_000, 4_000)

    def site(name: str, zh: str, level: Level, number: int, xy: tuple[float, float]) -> tuple[int, int, int]:
        def add(suffix: str, label: str, kind: NodeKind) -> int:
            process = slow if kind == NodeKind.CENTRE else None
            full, full_zh = rename.format(name + suffix), rename.format(zh + label)
            return builder.add_node(
                full, kind, service=quick, process=process, level=level, site=number, xy=xy, label_zh=full_zh
            )

        centre = add("", "中心", NodeKind.CENTRE)
        routers = (add("/r1", "路由一", NodeKind.ROUTER), add("/r2", "路由二", NodeKind.ROUTER))
        for router in routers:
            builder.add_line(centre, router, service=quick)
        for unit in range(2):
            front = rename.format(f"{name}/fe{unit}")
            end = builder.add_node(
                front, NodeKind.FRONT_END, service=quick, level=level, site=-number - 1, xy=xy, label_zh=front
            )
            builder.add_line(end, centre, service=Service(1, 1000, ps_per_byte(100)))
        return centre, *routers

    def join(a: tuple[int, int, int], b: tuple[int, int, int], mbps: float) -> None:
        for carrier in (0, 1):
            line = Service(1, 1000, ps_per_byte(mbps), 2 * MS_NS)
            builder.add_line(a[1 + carrier], b[1 + carrier], service=line, carrier=carrier)

    number = 0
    province = site("province", "省", Level.PROVINCE, number, CITIES[0][2:])
    gateway = builder.add_node(
        rename.format("gateway"), NodeKind.GATEWAY, service=quick, level=Level.NATION, site=900, xy=(116.4, 39.9)
    )
    builder.add_line(province[0], gateway, service=Service(1, 1000, ps_per_byte(622)), carrier=0)
    for name, zh, lon, lat in CITIES[:cities]:
        number += 1
        city = site(name, zh, Level.CITY, number, (lon, lat))
        join(province, city, 155)
        for index in range(counties):
            number += 1
            angle = 2 * np.pi * (index + rng.random()) / counties
            reach = 0.25 + 0.35 * rng.random()
            xy = (lon + reach * float(np.cos(angle)), lat + reach * float(np.sin(angle)))
            join(city, site(f"{name}-{index}", f"{zh}县{index}", Level.COUNTY, number, xy), 100)
    return builder.build()


def make_slots(network: Network, rng: np.random.Generator, *, balanced: bool) -> StationSlots:
    """Draw each station's day: the hours' tide times a level of its own; lines of one carrier idle if unbalanced."""
    count = network.station_count
    level = rng.uniform(0.05, 0.35, count)
    level[network.station_role == StationRole.PROCESS] *= 1.8
    for line, station in enumerate(network.line_station.tolist()):
        if network.line_carrier[line] >= 0:
            level[station] = rng.uniform(0.3, 0.7) if balanced else (rng.uniform(0.25, 0.95), 0.02)[line // 2 % 2]
    hours = np.interp(np.arange(SLOTS) * 0.25, np.arange(24) + 0.5, HOURS)
    noise = rng.normal(1.0, 0.12, (SLOTS, count))
    load = np.clip(level * hours[:, None] * noise, 0.0, 1.0)
    load[SLOTS - 2 :] *= 0.05
    waiting = np.where(load > 0.75, rng.poisson(np.clip(load - 0.75, 0, 1) * 900), 0)
    slot, station = np.nonzero(load > 0.002)
    served = (load * 400).astype(np.int64)[slot, station]
    return StationSlots(
        slot=slot.astype(np.int32),
        station=station.astype(np.int32),
        utilisation=load[slot, station].astype(np.float32),
        waiting=waiting[slot, station].astype(np.int32),
        served=served,
        served_bytes=served * 20_000,
        spilled=waiting[slot, station].astype(np.int64) // 3,
        failed=waiting[slot, station].astype(np.int64) // 20,
    )


def make_metrics(brain: str, network: Network, slots: StationSlots, seed: int, slowness: float) -> BrainMetrics:
    """Draw completion times and count them; the submitted exchanges are the same for every brain."""
    rng = np.random.default_rng([seed, 99])
    hours = np.interp(np.arange(96) * 0.25, np.arange(24) + 0.5, HOURS)
    submitted: dict[str, list[int]] = {}
    sizes: dict[str, list[int]] = {}
    times: dict[str, np.ndarray] = {}
    by_mode: dict[str, Completion] = {}
    for mode, (count, median_ms, sigma, size) in MODES.items():
        name = mode.name.lower()
        night = np.roll(hours, 50) if mode == Mode.BATCH else hours
        submitted[name] = rng.poisson(count * night / night.sum()).tolist()
        sizes[name] = [int(n * size * rng.lognormal(0.3, 0.2)) for n in submitted[name]]
        total = sum(submitted[name])
        drawn = median_ms * np.exp(sigma * rng.standard_normal(total) * (0.6 + 0.4 * slowness)) * slowness
        drawn[rng.random(total) < 0.002] *= 25
        late = 8 * median_ms
        times[name] = np.sort(drawn * MS_NS).astype(np.int64)
        by_mode[name] = completion_of(times[name], sum(sizes[name]), total // 2, int((drawn > late).sum() // 2))
    refused, in_flight = 37, 12
    everything = np.sort(np.concatenate(list(times.values())))
    total_bytes = sum(sum(column) for column in sizes.values())
    whole = completion_of(
        everything,
        total_bytes,
        sum(part.deadline_total for part in by_mode.values()),
        sum(part.deadline_missed for part in by_mode.values()),
    )
    delivered = len(everything)
    return BrainMetrics(
        brain=brain,
        span_ns=DAY_NS,
        ended_ns=SLOTS * SLOT_NS,
        counts=Counts(
            submitted=delivered + refused + in_flight, delivered=delivered, in_flight=in_flight, refused=refused
        ),
        refused_by_reason={"the plan has no route for the pair": refused - 9, "given up after the last retry": 9},
        bytes=Counts(submitted=total_bytes + 6_000_000, delivered=total_bytes, in_flight=2_000_000, refused=4_000_000),
        chunks=ChunkCounts(
            retries=9_031,
            spilled=int(slots.spilled.sum()),
            failed=int(slots.failed.sum()),
            held_peak=1_204,
            retrying_peak=388,
        ),
        completion=CompletionTable(
            all=whole, by_mode=by_mode, by_class={"0": by_mode["query"], "1": by_mode["docking"]}
        ),
        tails=TailTable(all=tail_of(everything), by_mode={name: tail_of(column) for name, column in times.items()}),
        tide=Tide(
            start_ns=[slot * SLOT_NS for slot in range(96)],
            submitted=submitted,
            bytes=sizes,
            delivered=np.sum(list(submitted.values()), axis=0).tolist(),
        ),
        stations=busiest(network, slots),
    )


def completion_of(ordered_ns: np.ndarray, size: int, deadline_total: int, deadline_missed: int) -> Completion:
    """Summarise ascending completion times."""
    count = len(ordered_ns)
    at = {name: int(ordered_ns[int(share * (count - 1))]) for name, share in _SHARES.items()} if count else {}
    return Completion(
        count=count,
        bytes=size,
        **{name: at.get(name) for name in _SHARES},
        max_ns=int(ordered_ns[-1]) if count else None,
        mean_ns=int(ordered_ns.mean()) if count else None,
        deadline_total=deadline_total,
        deadline_missed=deadline_missed,
    )


_SHARES = {"p50_ns": 0.5, "p95_ns": 0.95, "p99_ns": 0.99, "p999_ns": 0.999}


def tail_of(ordered_ns: np.ndarray) -> Tail:
    """Thin ascending times out to a tail."""
    count = len(ordered_ns)
    above = np.unique(np.rint(np.geomspace(1, count, 120)).astype(int))[::-1]
    return Tail(latency_ns=ordered_ns[count - above].tolist(), share_above=(above / count).tolist())


def busiest(network: Network, slots: StationSlots) -> list[StationLoad]:
    """Rank the stations of a drawn day."""
    count = network.station_count
    peak, mean, waiting, served, sizes, spilled, failed = (np.zeros(count) for _ in range(7))
    np.maximum.at(peak, slots.station, slots.utilisation)
    np.maximum.at(waiting, slots.station, slots.waiting)
    np.add.at(mean, slots.station, slots.utilisation / SLOTS)
    np.add.at(served, slots.station, slots.served)
    np.add.at(sizes, slots.station, slots.served_bytes)
    np.add.at(spilled, slots.station, slots.spilled)
    np.add.at(failed, slots.station, slots.failed)
    return [
        StationLoad(
            station=station,
            name=network.station_name[station],
            role=StationRole(int(network.station_role[station])).name.lower(),
            busy_hour_utilisation=float(peak[station]),
            peak_utilisation=float(peak[station]),
            mean_utilisation=float(mean[station]),
            peak_waiting=int(waiting[station]),
            served=int(served[station]),
            served_bytes=int(sizes[station]),
            spilled=int(spilled[station]),
            failed=int(failed[station]),
        )
        for station in np.argsort(-peak, kind="stable")[:20].tolist()
    ]


def make_pairs(network: Network, rng: np.random.Generator) -> PairTable:
    """Draw the completion times of some pairs; the last pair delivered nothing."""
    ends = network.endpoints
    names = [(network.node_name[a], network.node_name[b]) for a in ends[:30] for b in ends[:6] if a != b]
    size = len(names)
    count = rng.integers(1, 900, size)
    count[-1] = 0
    median = rng.lognormal(20.5, 0.8, size)
    missed = rng.poisson(1.5, size)
    times = {
        name: np.where(count > 0, (median * factor).astype(np.int64), NO_TIME_NS)
        for name, factor in (("p50_ns", 1.0), ("p95_ns", 3.0), ("p99_ns", 6.0), ("p999_ns", 11.0), ("max_ns", 15.0))
    }
    return PairTable(
        source=[a for a, _ in names],
        target=[b for _, b in names],
        submitted=count + 1,
        count=count,
        bytes=count * 30_000,
        deadline_total=count + 30,
        deadline_missed=missed,
        **times,
    )


__all__ = ["BRAINS", "SECOND_NS", "SLOTS", "SLOT_NS", "make_metrics", "make_network", "make_results"]
