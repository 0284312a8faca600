"""The traffic of a study: trace files that are given, or traces drawn anew for each replication with its own seed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from router_core.errors import BadInputError
from sim.studies.case import platform_of
from traces.generate import TraceGenerator, write_trace
from traces.surges import parse_surge
from traces.validate import open_valid


@dataclass(frozen=True)
class Draw:
    """Traffic as a scenario's demand model draws it.

    Attributes
    ----------
    start : datetime
        Local time at which the trace begins.
    span : timedelta
    exchanges_per_day : int or None
        Of a plain working day; None: the scenario's.
    load : float
        Factor on the number of exchanges.
    surges : tuple of str
        As `trace generate --surge` takes them.
    """

    start: datetime
    span: timedelta = timedelta(days=1)
    exchanges_per_day: int | None = None
    load: float = 1.0
    surges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Traffic:
    """What the replications of a study carry: exactly one of the two.

    Attributes
    ----------
    traces : tuple of Path
        Replications take them in turn; a replication's seed then varies only the world around them.
    draw : Draw or None
        Each replication draws its own trace with its own seed.
    """

    traces: tuple[Path, ...] = ()
    draw: Draw | None = None

    def __post_init__(self) -> None:
        if bool(self.traces) == (self.draw is not None):
            raise BadInputError("--trace", "either traces or --start of drawn ones must be given, one of the two", None)


@dataclass(frozen=True)
class DrawnTrace:
    """The order to have one trace: whoever takes it makes it, unless it is there; picklable."""

    folder: Path
    scenario: str
    changes: tuple[str, ...]
    draw: Draw
    seed: int

    @property
    def path(self) -> Path:
        """Where it is: its name is the digest of all that it depends on."""
        digest = platform_of(self.scenario, self.changes).digest
        draw = self.draw
        key = [
            digest,
            draw.start.isoformat(),
            str(draw.span),
            draw.exchanges_per_day,
            draw.load,
            draw.surges,
            self.seed,
        ]
        return self.folder / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]}.parquet"


def drawn(order: DrawnTrace) -> Path:
    """Draw a trace, unless it is there already, and return where it is.

    Raises
    ------
    BadInputError
        If the draw cannot be made of this scenario.
    """
    path = order.path
    if not path.is_file():
        draw = order.draw
        generator = TraceGenerator(
            platform_of(order.scenario, order.changes),
            start=draw.start,
            span=draw.span,
            seed=order.seed,
            exchanges_per_day=draw.exchanges_per_day,
            load=draw.load,
            surges=[parse_surge(text) for text in draw.surges],
        )
        write_trace(path, generator)  # whole or not at all
    return path


def checked(traffic: Traffic, scenario: str, changes: tuple[str, ...] = ()) -> None:
    """Check every row of the traces that are given, once and before minutes are spent; raises `BadInputError`."""
    for trace in traffic.traces:
        open_valid(trace, platform_of(scenario, changes)).close()
