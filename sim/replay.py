"""The main job on one screen: a trace through the world under one brain, and what it was worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.network import Network
from router_core.platform import Platform
from router_core.transport import Transport
from sim.completion import Completion, completion
from sim.data_plane import DataPlane
from sim.faults import Fault
from sim.metrics import summary
from sim.mode_table import ModeTable, mode_table
from sim.moment import Moment
from sim.pairs import pairs
from sim.policy_table import PolicyTable
from sim.reference_plane import ReferencePlane
from sim.results import BrainMetrics, PairTable, StationSlots
from sim.world import Record, World, WorldConfig
from strategies.brain import Brain
from strategies.decision import Decision
from traces.reader import TraceReader


def _compiled(network: Network, transport: Transport) -> DataPlane:
    # A command that replays nothing need not load the engine.
    from sim.compiled_plane import CompiledPlane  # noqa: PLC0415

    return CompiledPlane(network, transport)


# They give the same integers; the first is the default, being some hundred times as fast.
DATA_PLANES: Final[dict[str, Callable[[Network, Transport], DataPlane]]] = {
    "compiled": _compiled,
    "simpy": ReferencePlane,
}
DEFAULT_DATA_PLANE: Final = next(iter(DATA_PLANES))


@dataclass(frozen=True, eq=False)
class Replay:
    """What one brain made of a trace, what telemetry told of the lines' other users, what was asked, and decided."""

    metrics: BrainMetrics
    stations: StationSlots
    pairs: PairTable
    lines: LineHistory
    modes: ModeTable
    decisions: tuple[Decision, ...]
    policies: PolicyTable | None


def replay(
    platform: Platform,
    trace: Path,
    brain: Brain,
    *,
    seed: int,
    data_plane: str = DEFAULT_DATA_PLANE,
    config: WorldConfig | None = None,
    faults: Sequence[Fault] = (),
    on_progress: Callable[[float], None] | None = None,
    on_moment: Callable[[Moment], None] | None = None,
) -> Replay:
    """Replay a trace file under a brain, and sum up what it was worth; parameters and errors are those of `live`."""
    config = config or WorldConfig()
    lived = live(
        platform,
        trace,
        brain,
        seed=seed,
        data_plane=data_plane,
        config=config,
        faults=faults,
        on_progress=on_progress,
        on_moment=on_moment,
    )
    network, record, done = platform.network, lived.record, lived.done
    return Replay(
        summary(network, record, done, brain.name, lived.span_ns, config.slot_ns),
        record.series.rows,
        pairs(network, record.exchanges, done),
        record.lines,
        mode_table(record.exchanges, network.node_count),
        record.decisions,
        record.policies,
    )


@dataclass(frozen=True, eq=False)
class Lived:
    """One run of the world: what it left, and what became of each exchange.

    Attributes
    ----------
    record : Record
    done : Completion
    span_ns : int
        Length of the trace [ns].
    """

    record: Record
    done: Completion
    span_ns: int


def live(
    platform: Platform,
    trace: Path,
    brain: Brain,
    *,
    seed: int,
    data_plane: str = DEFAULT_DATA_PLANE,
    config: WorldConfig | None = None,
    faults: Sequence[Fault] = (),
    on_progress: Callable[[float], None] | None = None,
    on_moment: Callable[[Moment], None] | None = None,
) -> Lived:
    """Let a brain live through a trace file.

    Parameters
    ----------
    platform : Platform
    trace : Path
        A trace that fits the platform; `traces.validate` says whether it does.
    brain : Brain
        A new one.
    seed : int
        Seed of the world's own streams: other users, telemetry.
    data_plane : str
        A key of `DATA_PLANES`.
    config : WorldConfig, optional
    faults : sequence of Fault, optional
    on_progress : callable, optional
        Called with the share of the trace's span that has passed.
    on_moment : callable, optional
        Called with what can be seen of the world, slot by slot.

    Raises
    ------
    BadInputError
        If the trace cannot be read, or names what the platform lacks; if the brain commands what cannot be; or if the
        run goes beyond all time.
    """
    if data_plane not in DATA_PLANES:
        raise BadInputError("data plane", f"must be one of {', '.join(DATA_PLANES)}", data_plane)
    config = config or WorldConfig()
    network = platform.network
    with TraceReader(trace) as reader:
        span_ns = reader.info.span_ns
        world = World(
            network,
            platform.background,
            brain,
            DATA_PLANES[data_plane](network, platform.transport),
            start=reader.info.start,
            span_ns=span_ns,
            seed=seed,
            config=config,
            faults=faults,
            on_progress=None if on_progress is None else lambda now_ns: on_progress(now_ns / span_ns),
            on_moment=on_moment,
        )
        try:
            record = world.run(reader.batches(platform))
        except OverflowError as error:
            raise BadInputError("replay", "every instant lies before 2**62 ns, 146 years", str(error)) from None
    return Lived(record, completion(record.exchanges, record.outcome, record.ended_ns), span_ns)
