"""Exchanges drawn from demand matrices: the stated arrival model.

A matrix says how many bits a second go from node to node on average, not which exchanges they were. The model:

- For each pair of different nodes and each matrix, exchanges arrive as a Poisson process of constant rate over the
  matrix's interval: their number is Poisson, their times are uniform.
- Sizes are independent, of one law and one mean for all pairs. The rate is demand x interval / mean size, so that the
  expected bytes are those of the matrix.
- What stays at its node (the diagonal) is no exchange. Between the end of an interval and the next matrix nothing
  arrives.

Constant rate within an interval and independence make this traffic smoother than real traffic of the same means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.exchanges import NO_DEADLINE, NO_LABEL, Exchanges
from router_core.randomness import stream
from router_core.units import DURATION_NS_MAX, PAYLOAD_BYTES_MAX, SECOND_NS
from router_core.vocabulary import Mode, TaskKind
from traces.matrices import MatrixSeries

SizeLawName = Literal["fixed", "exponential", "lognormal"]
SIZE_LAWS: Final[tuple[SizeLawName, ...]] = ("fixed", "exponential", "lognormal")
# Sizes are cut off at PAYLOAD_BYTES_MAX: up to this mean and sigma the cut takes less than 1e-4 of the bytes.
MEAN_BYTES_MAX: Final = 2**30
SIGMA_MAX: Final = 2.0
BYTES_PER_MBIT: Final = 125_000
# Expected exchanges of one batch: some 20 MB of columns.
BATCH_ROWS: Final = 200_000


@dataclass(frozen=True)
class ArrivalModel:
    """How a demand becomes exchanges.

    Attributes
    ----------
    mean_bytes : int
        Mean payload [bytes], 1,000..2**30; sizes are whole bytes, which biases a smaller mean.
    law : "fixed", "exponential" or "lognormal"
        Law of the payload.
    sigma : float
        Standard deviation of a lognormal payload's logarithm, 0..2.
    mode, kind : Mode, TaskKind
        Of every exchange.
    priority : int
        Class of service of every exchange, 0..127.
    deadline_ns : int
        From submission to deadline [ns]; 0: none.
    exchanges_max : int
        A series from which more exchanges are expected is refused.
    """

    mean_bytes: int = 16_000_000
    law: SizeLawName = "lognormal"
    sigma: float = 1.0
    mode: Mode = Mode.FRONT_END
    kind: TaskKind = TaskKind.EXCHANGE
    priority: int = 0
    deadline_ns: int = 0
    exchanges_max: int = 20_000_000

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("mean_bytes", self.mean_bytes, 1_000, MEAN_BYTES_MAX),
            ("sigma", self.sigma, 0, SIGMA_MAX),
            ("priority", self.priority, 0, 127),
            ("deadline_ns", self.deadline_ns, 0, DURATION_NS_MAX),
            ("exchanges_max", self.exchanges_max, 1, 2**40),
        ):
            if not low <= value <= high:
                raise BadInputError(f"arrivals.{name}", f"must lie in {low}..{high}", value)
        if self.law not in SIZE_LAWS:
            raise BadInputError("arrivals.law", f"must be one of {', '.join(SIZE_LAWS)}", self.law)


def expected_exchanges(series: MatrixSeries, model: ArrivalModel, interval_s: int) -> float:
    """Return how many exchanges `exchanges_of` draws on average."""
    between = series.demand_mbps.sum() - np.trace(series.demand_mbps, axis1=1, axis2=2).sum()
    return float(between) * BYTES_PER_MBIT * interval_s / model.mean_bytes


def exchanges_of(
    series: MatrixSeries,
    endpoint_of_node: NDArray[np.integer],
    model: ArrivalModel | None = None,
    *,
    seed: int,
    interval_s: int | None = None,
) -> Iterator[Exchanges]:
    """Draw the exchanges of a series, in batches in the order of time; the same arguments give the same exchanges.

    Parameters
    ----------
    series : MatrixSeries
    endpoint_of_node : integers (n,)
        Index of the endpoint, in the network of the scenario, that stands for each node of the series; distinct.
        Node i's endpoint belongs to the unit that provides resource i, which its exchanges carry.
    model : ArrivalModel, optional
    seed : int
        Of the streams ``import.arrivals`` and ``import.sizes``: another size law leaves numbers and times as they are
        as long as the mean is the same.
    interval_s : int, optional
        Length of each matrix's interval [s], by default the smallest time between two matrices, which it must not
        exceed.

    Yields
    ------
    Exchanges
        Times count from the begin of the first matrix. Batches are not empty.

    Raises
    ------
    BadInputError
        At once, not at the first batch: if the interval is not known or too long, endpoints do not fit, or more
        exchanges are expected than `ArrivalModel.exchanges_max`.
    """
    chosen = ArrivalModel() if model is None else model
    endpoints = _endpoints(endpoint_of_node, series.node_count)
    interval = _interval_s(series, interval_s)
    first, last = series.t_utc[[0, -1]].astype(np.int64).tolist()
    # Seconds first, as whole Python numbers: the sum in nanoseconds may not fit 64 bits.
    if (last - first + interval) * SECOND_NS + chosen.deadline_ns > DURATION_NS_MAX:
        rule = f"the series must end within {DURATION_NS_MAX // SECOND_NS} s of its begin"
        raise BadInputError("t_utc", rule, last - first + interval)
    expected = expected_exchanges(series, chosen, interval)
    if expected > chosen.exchanges_max:
        rule = f"at most {chosen.exchanges_max} exchanges may be expected: take fewer matrices or a larger mean size"
        raise BadInputError("arrivals", rule, f"{expected:.3g} at a mean of {chosen.mean_bytes} bytes")
    return _draw(series, endpoints, chosen, seed, interval)


def _endpoints(endpoint_of_node: NDArray[np.integer], count: int) -> NDArray[np.int32]:
    found = np.asarray(endpoint_of_node)
    if found.shape != (count,) or found.dtype.kind not in "iu":
        raise BadInputError("endpoint_of_node", f"must be {count} node indices", f"{found.dtype} {found.shape}")
    if len(np.unique(found)) < count or int(found.min()) < 0 or int(found.max()) >= 2**31:
        raise BadInputError("endpoint_of_node", "must be different node indices, >= 0", found.tolist())
    return found.astype(np.int32)


def _interval_s(series: MatrixSeries, stated: int | None) -> int:
    gap = series.gap_s()
    interval = gap if stated is None else stated
    if interval is None:
        raise BadInputError("interval_s", "must be stated: a single matrix does not say how long it holds", "nothing")
    if interval <= 0 or (gap is not None and interval > gap):
        rule = "must be positive and at most the time to the next matrix" + ("" if gap is None else f", {gap} s")
        raise BadInputError("interval_s", rule, interval)
    return interval


def _draw(
    series: MatrixSeries, endpoints: NDArray[np.int32], model: ArrivalModel, seed: int, interval_s: int
) -> Iterator[Exchanges]:
    arrivals, sizes = stream(seed, "import.arrivals"), stream(seed, "import.sizes")
    count = series.node_count
    between = ~np.eye(count, dtype=np.bool_)
    source, target = (nodes.astype(np.int32) for nodes in np.nonzero(between))
    begins_ns = (series.t_utc - series.t_utc[0]).astype(np.int64) * SECOND_NS
    interval_ns = interval_s * SECOND_NS
    for matrix, begin_ns in zip(series.demand_mbps, begins_ns.tolist(), strict=True):
        mean = matrix[between] * (BYTES_PER_MBIT * interval_s / model.mean_bytes)
        # Parts of an interval are Poisson too: a heavy matrix is drawn in parts, to bound the memory.
        parts = max(1, -(-int(mean.sum()) // BATCH_ROWS))
        for part in range(parts):
            low_ns, high_ns = (interval_ns * edge // parts for edge in (part, part + 1))
            numbers = arrivals.poisson(mean * ((high_ns - low_ns) / interval_ns))
            total = int(numbers.sum())
            if total == 0:
                continue
            offset_ns = arrivals.integers(low_ns, high_ns, total)
            order = np.argsort(offset_ns, kind="stable")
            pair = np.repeat(np.arange(len(mean)), numbers)[order]
            yield _batch(begin_ns + offset_ns[order], source[pair], target[pair], endpoints, model, sizes)


def _batch(
    submitted_ns: NDArray[np.int64],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    endpoints: NDArray[np.int32],
    model: ArrivalModel,
    sizes: np.random.Generator,
) -> Exchanges:
    total = len(submitted_ns)
    deadline = submitted_ns + model.deadline_ns if model.deadline_ns else np.full(total, NO_DEADLINE, dtype=np.int64)
    return Exchanges(
        submitted_ns=submitted_ns,
        source=endpoints[source],
        target=endpoints[target],
        payload_bytes=_payloads(total, model, sizes),
        mode=np.full(total, model.mode, dtype=np.int8),
        kind=np.full(total, model.kind, dtype=np.int8),
        resource=source,
        priority=np.full(total, model.priority, dtype=np.int8),
        deadline_ns=deadline,
        demand_type=np.full(total, NO_LABEL, dtype=np.int8),
        surge=np.full(total, NO_LABEL, dtype=np.int8),
    )


def _payloads(total: int, model: ArrivalModel, sizes: np.random.Generator) -> NDArray[np.int64]:
    if model.law == "fixed":
        return np.full(total, model.mean_bytes, dtype=np.int64)
    if model.law == "exponential":
        drawn = sizes.exponential(model.mean_bytes, total)
    else:
        # The mean of a lognormal law is exp(mu + sigma**2 / 2).
        drawn = sizes.lognormal(np.log(model.mean_bytes) - model.sigma**2 / 2, model.sigma, total)
    return np.clip(np.rint(drawn), 1, PAYLOAD_BYTES_MAX).astype(np.int64)
