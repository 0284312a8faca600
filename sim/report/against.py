"""Another run to compare with: its loads on the same map, and how its exchanges fared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from router_core.errors import BadInputError
from sim.report.map_facts import load_facts
from sim.report.province_map import ProvinceMap
from sim.report.slot_loads import slot_loads
from sim.result_folder import read_metrics, read_network, read_run, read_station_slots
from sim.results import BrainMetrics, NetworkTable, Run


@dataclass(frozen=True, eq=False)
class Rival:
    """A run of the same network.

    Attributes
    ----------
    folder : Path
    run : Run
    metrics : list of BrainMetrics
        In the order of its brains.
    """

    folder: Path
    run: Run
    metrics: list[BrainMetrics]

    @property
    def slots(self) -> int:
        """Slots of its longest brain."""
        return max(1, *(-(-max(of.ended_ns, of.span_ns) // self.run.slot_ns) for of in self.metrics))


def read_rival(folder: Path, run: Run, network: NetworkTable, beside: Path) -> Rival:
    """Read another run; `run` and `network` are those of the folder `beside`, with which it must agree.

    Raises
    ------
    BadInputError
        If the networks differ in any node, line or station, or the slots in their length.
    """
    other = read_run(folder)
    theirs = read_network(folder)
    for part in ("nodes", "lines", "stations"):
        for name, mine in dict(getattr(network, part)).items():
            found = dict(getattr(theirs, part))[name]
            if mine != found:
                rule = f"must be the same as in {beside}, of {len(mine)} {part}"
                first = next((at for at, (a, b) in enumerate(zip(mine, found, strict=False)) if a != b), None)
                value = len(found) if first is None else f"{found[first]!r} instead of {mine[first]!r} at {first}"
                raise BadInputError(f"{part}.{name}", rule, value, str(folder / "network.json"))
    if other.slot_ns != run.slot_ns:
        rule = f"must be as in {beside}, {run.slot_ns}"
        raise BadInputError("slot_ns", rule, other.slot_ns, str(folder / "run.json"))
    return Rival(folder, other, [read_metrics(folder, brain, theirs) for brain in other.brains])


def rival_facts(rival: Rival, province: ProvinceMap, slots: int, slots_per_step: int, window: int) -> dict[str, Any]:
    """Return what the page shows of it; parameters are those of `slot_loads`."""
    stations = len(province.station_row)
    loads = [
        slot_loads(
            province, read_station_slots(rival.folder, brain, slots, stations), slots, slots_per_step, window
        )
        for brain in rival.run.brains
    ]  # fmt: skip
    return {
        "name": rival.folder.resolve().name,
        "start": rival.run.start.isoformat(),
        "provenance": rival.run.provenance.model_dump(mode="json"),
        "brains": [
            {"name": of.brain, "counts": dict(of.counts), "completion": of.completion.all.model_dump(mode="json")}
            for of in rival.metrics
        ],
        **load_facts(province, loads),
    }
