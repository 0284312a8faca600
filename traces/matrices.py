"""A series of demand matrices over one topology, and its `.npz` file.

Arrays of the file; other arrays are not read.

| array | dtype, shape | meaning |
| --- | --- | --- |
| `demand_mbps` | float (T, n, n) | mean demand from row to column over the interval that begins at `t_utc` [Mbit/s] |
| `t_utc` | datetime64[s] (T,) | begin of each interval, strictly increasing |
| `nodes` | str (n,) | names; written always, and where a file has none node i is called ``node-i`` |
| `links` or `links_undirected` | int (L, 2) | ends of each line as node indices; an undirected one carries both ways |
| `capacity_mbps` | float (L,) | rate of a line, in each direction where it is undirected [Mbit/s] |
| `igp_metric` | float (L,) | administrative weight of a line; may be absent |

Some published series call two arrays `demand` and `capacity`: these names are read as well, in Mbit/s. A series without
`t_utc` is refused unless the caller says with a `Clock` when it begins and how long a step is.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from traces.atomic import written_whole

NAME_LENGTH_MAX: Final = 80
# Every time of a series lies in this span, so that differences in nanoseconds fit 64 bits.
TIME_MIN: Final = np.datetime64("1900-01-01T00:00:00", "s")
STEP_S_MAX: Final = 10**9
TIME_MAX: Final = np.datetime64("2200-01-01T00:00:00", "s")
# Far more than any published series holds, and far less than a bomb of a few megabytes can unpack to.
ARRAY_BYTES_MAX: Final = 2**32
_KNOWN: Final = (
    "demand_mbps",
    "demand",
    "t_utc",
    "nodes",
    "links",
    "links_undirected",
    "capacity_mbps",
    "capacity",
    "igp_metric",
)


@dataclass(frozen=True)
class Clock:
    """When a series without times of its own begins, and how far apart its matrices are.

    Attributes
    ----------
    start : datetime64[s]
    step_s : int
        Seconds from one matrix to the next, 1..10**9.
    """

    start: np.datetime64
    step_s: int

    def __post_init__(self) -> None:
        if np.isnat(self.start) or not TIME_MIN <= self.start < TIME_MAX:
            raise BadInputError("clock.start", f"must lie in {TIME_MIN}..{TIME_MAX}", str(self.start))
        if not 0 < self.step_s <= STEP_S_MAX:
            raise BadInputError("clock.step_s", f"must lie in 1..{STEP_S_MAX}", self.step_s)

    def times(self, count: int) -> NDArray[np.datetime64]:
        """Return the first `count` times, datetime64[s] (count,)."""
        begin = int(self.start.astype("datetime64[s]").astype(np.int64))
        return (begin + np.arange(count, dtype=np.int64) * self.step_s).astype("datetime64[s]")


@dataclass(frozen=True, eq=False)
class MatrixSeries:
    """Demand matrices in time, and the lines that carry them. Checked when made; every array is read-only.

    Attributes
    ----------
    demand_mbps : float64 (T, n, n)
        Mean demand from row to column [Mbit/s], finite, >= 0; T and n are at least 1. The diagonal is what stays at
        its node and uses no line.
    t_utc : datetime64[s] (T,)
        Begin of each matrix's interval, strictly increasing.
    nodes : tuple of str, length n
        Unique names.
    links : int64 (L, 2)
        Node indices of each line's ends, which differ; parallel lines are kept.
    directed : bool
        Whether a line carries only from its first end to its second; otherwise it carries both ways alike.
    capacity_mbps : float64 (L,)
        Rate [Mbit/s], finite, > 0.
    igp_metric : float64 (L,) or None
        Administrative weight, finite, >= 0.

    Raises
    ------
    BadInputError
        Naming the array, the place in it, the rule and the value.
    """

    demand_mbps: NDArray[np.float64]
    t_utc: NDArray[np.datetime64]
    nodes: tuple[str, ...]
    links: NDArray[np.int64]
    directed: bool
    capacity_mbps: NDArray[np.float64]
    igp_metric: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        demand = _amounts(self.demand_mbps, "demand_mbps", 3)
        if demand.shape[1] != demand.shape[2] or 0 in demand.shape:
            raise BadInputError("demand_mbps", "must be of shape (T, n, n), T and n at least 1", demand.shape)
        count = demand.shape[1]
        lines = "links" if self.directed else "links_undirected"
        set_field = object.__setattr__
        set_field(self, "demand_mbps", demand)
        set_field(self, "t_utc", _times(self.t_utc, len(demand)))
        set_field(self, "nodes", checked_names(self.nodes, count, "nodes"))
        set_field(self, "links", checked_lines(self.links, count, lines))
        set_field(self, "capacity_mbps", checked_rates(self.capacity_mbps, len(self.links), "capacity_mbps"))
        set_field(self, "igp_metric", checked_metric(self.igp_metric, len(self.links), "igp_metric"))

    def __len__(self) -> int:
        return len(self.t_utc)

    @property
    def node_count(self) -> int:
        """Number of nodes n."""
        return len(self.nodes)

    def directed_lines(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return ends (E, 2) and capacities (E,) [Mbit/s] of directed lines.

        A directed line l is row l; an undirected line l of L is rows l and L + l.
        """
        if self.directed:
            return self.links, self.capacity_mbps
        return np.concatenate((self.links, self.links[:, ::-1])), np.tile(self.capacity_mbps, 2)

    def gap_s(self) -> int | None:
        """Return the smallest time between two neighbouring matrices [s], None if there is only one matrix."""
        if len(self) < 2:
            return None
        return int(np.diff(self.t_utc).min().astype(np.int64))


def checked_names(names: tuple[str, ...], count: int, place: str) -> tuple[str, ...]:
    """Return `names` if there are `count` and each can name a node, or raise `BadInputError`."""
    if len(names) != count:
        raise BadInputError(place, f"must be {count} names, one a node", len(names))
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not 1 <= len(name) <= NAME_LENGTH_MAX or name != name.strip() or not name.isprintable():
            rule = f"must be 1..{NAME_LENGTH_MAX} printable characters without blanks at the ends"
            raise BadInputError(f"{place}[{index}]", rule, name)
        if name in seen:
            raise BadInputError(f"{place}[{index}]", "names must be unique", name)
        seen.add(name)
    return tuple(names)


def checked_lines(lines: NDArray[Any], count: int, place: str) -> NDArray[np.int64]:
    """Return read-only int64 (L, 2) ends of lines between `count` nodes, or raise `BadInputError`."""
    if lines.dtype.kind not in "iu":
        raise BadInputError(place, "must hold integers", str(lines.dtype))
    if lines.ndim != 2 or lines.shape[1] != 2 or len(lines) == 0:
        raise BadInputError(place, "must be of shape (L, 2), L at least 1", lines.shape)
    outside = np.flatnonzero(((lines < 0) | (lines >= count)).any(axis=1))
    if len(outside):
        row = int(outside[0])
        raise BadInputError(f"{place}[{row}]", f"ends must be node indices in 0..{count - 1}", lines[row].tolist())
    loops = np.flatnonzero(lines[:, 0] == lines[:, 1])
    if len(loops):
        row = int(loops[0])
        raise BadInputError(f"{place}[{row}]", "a line joins two different nodes", lines[row].tolist())
    result = np.array(lines, dtype=np.int64)
    result.setflags(write=False)
    return result


def checked_rates(rates: NDArray[Any], count: int, place: str) -> NDArray[np.float64]:
    """Return read-only positive rates, float64 (count,), or raise `BadInputError`."""
    result = _amounts(rates, place, 1)
    _check_count(result, count, place)
    zero = np.flatnonzero(result == 0)
    if len(zero):
        raise BadInputError(f"{place}[{int(zero[0])}]", "must be positive", 0.0)
    return result


def checked_metric(metric: NDArray[Any] | None, count: int, place: str) -> NDArray[np.float64] | None:
    """Return read-only weights >= 0, float64 (count,), or None if there are none, or raise `BadInputError`."""
    if metric is None:
        return None
    result = _amounts(metric, place, 1)
    _check_count(result, count, place)
    return result


def _check_count(values: NDArray[Any], count: int, place: str) -> None:
    if len(values) != count:
        raise BadInputError(place, f"must hold {count} values, one a line", len(values))


def _amounts(values: NDArray[Any], place: str, dimensions: int) -> NDArray[np.float64]:
    """Return a read-only float64 copy of finite values >= 0 with that many dimensions."""
    if values.dtype.kind not in "iuf":
        raise BadInputError(place, "must hold real numbers", str(values.dtype))
    if values.ndim != dimensions:
        raise BadInputError(place, f"must have {dimensions} dimensions", values.shape)
    for rule, broken in (("must be finite", ~np.isfinite(values)), ("must not be negative", values < 0)):
        if broken.any():
            where = tuple(int(index) for index in np.argwhere(broken)[0])
            raise BadInputError(f"{place}{list(where)}", rule, float(values[where]))
    # A copy: a series must not change with the array that it was made from.
    result = np.array(values, dtype=np.float64)
    result.setflags(write=False)
    return result


def _times(times: NDArray[Any], count: int) -> NDArray[np.datetime64]:
    if times.dtype.kind != "M" or np.datetime_data(times.dtype)[0] == "generic":
        raise BadInputError("t_utc", "must hold datetime64 values with a unit", str(times.dtype))
    if times.shape != (count,):
        raise BadInputError("t_utc", f"must be of shape ({count},), one a matrix", times.shape)
    seconds = times.astype("datetime64[s]")
    rules = (
        ("must be a time", np.isnat(times)),
        ("must be a whole second", seconds.astype(times.dtype) != times),
        (f"must lie in {TIME_MIN}..{TIME_MAX}", (seconds < TIME_MIN) | (seconds >= TIME_MAX)),
    )
    for rule, broken in rules:
        if broken.any():
            row = int(np.flatnonzero(broken)[0])
            raise BadInputError(f"t_utc[{row}]", rule, str(times[row]))
    backwards = np.flatnonzero(seconds[1:] <= seconds[:-1])
    if len(backwards):
        row = int(backwards[0]) + 1
        raise BadInputError(
            f"t_utc[{row}]", f"times must increase, the one before is {seconds[row - 1]}", str(times[row])
        )
    result = np.array(seconds)
    result.setflags(write=False)
    return result


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` file that this project knows, without ever unpickling.

    Raises
    ------
    BadInputError
        Naming the file, if it is missing, no `.npz`, or an array in it cannot be read.
    """
    place = "file"
    found: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as arrays:
            for name in _KNOWN:
                if name not in arrays.files:
                    continue
                place = name
                _check_size(archive, name)
                found[name] = np.asarray(arrays[name])
    except OSError as error:
        raise BadInputError(
            "file", "must be a file that can be read", error.strerror or str(error), str(path)
        ) from None
    except Exception as error:  # a broken archive or header raises anything from zlib.error to tokenize.TokenError
        rule = "must be an .npz file of plain arrays"
        raise BadInputError(place, rule, str(error) or type(error).__name__, str(path)) from error
    return found


def _check_size(archive: zipfile.ZipFile, name: str) -> None:
    about = archive.getinfo(f"{name}.npy")
    if about.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is packed in another way than numpy does it, and may unpack to any size")
    size = about.file_size
    if size > ARRAY_BYTES_MAX:
        raise ValueError(f"the array unpacks to {size} bytes, more than {ARRAY_BYTES_MAX}")


def has_times(path: Path) -> bool:
    """Return whether a file that `read_series` has read states the times of its matrices."""
    with zipfile.ZipFile(path) as archive:
        return "t_utc.npy" in archive.namelist()


def read_series(path: Path, clock: Clock | None = None) -> MatrixSeries:
    """Read a series from an `.npz` file; `clock` gives the times where the file has no `t_utc`.

    Raises
    ------
    BadInputError
        Naming the file, the array, the rule and the value.
    """
    try:
        return _series_from(read_arrays(path), clock)
    except BadInputError as error:
        raise error.within(str(path)) from None


def _series_from(arrays: dict[str, NDArray[Any]], clock: Clock | None) -> MatrixSeries:
    demand = one_of(arrays, "demand_mbps", "demand")[1]
    times = arrays.get("t_utc")
    if times is None:
        if clock is None:
            rule = "must be there, or the begin of the series and its step must be stated"
            raise BadInputError("t_utc", rule, "nothing")
        times = clock.times(len(demand) if demand.ndim else 0)
    which, links = one_of(arrays, "links", "links_undirected")
    return MatrixSeries(
        demand_mbps=demand,
        t_utc=times,
        nodes=node_names(arrays, demand.shape[-1] if demand.ndim else 0),
        links=links,
        directed=which == "links",
        capacity_mbps=one_of(arrays, "capacity_mbps", "capacity")[1],
        igp_metric=arrays.get("igp_metric"),
    )


def one_of(arrays: dict[str, NDArray[Any]], *names: str) -> tuple[str, NDArray[Any]]:
    """Return the one array of these names that is there, with its name, or raise `BadInputError`."""
    present = [name for name in names if name in arrays]
    if len(present) != 1:
        wanted = " or ".join(names)
        raise BadInputError(wanted, "exactly one of them must be there", present or "nothing")
    return present[0], arrays[present[0]]


def node_names(arrays: dict[str, NDArray[Any]], count: int) -> tuple[str, ...]:
    """Return the names in the array `nodes`, or ``node-0`` and so on: digits alone could pass for another's ids."""
    names = arrays.get("nodes")
    if names is None:
        return tuple(f"node-{index}" for index in range(count))
    if names.dtype.kind != "U" or names.shape != (count,):
        raise BadInputError("nodes", f"must be {count} strings, one a node", f"{names.dtype} {names.shape}")
    return tuple(str(name) for name in names)


def write_series(path: Path, series: MatrixSeries) -> None:
    """Write an `.npz` file: the same series gives the same bytes, and a failure leaves no half file.

    The arrays are stored, not deflated: compressed bytes differ between versions of the compressor.

    Raises
    ------
    BadInputError
        If the file cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {
        "demand_mbps": series.demand_mbps,
        "t_utc": series.t_utc,
        "nodes": np.array(series.nodes),
        "links" if series.directed else "links_undirected": series.links,
        "capacity_mbps": series.capacity_mbps,
    }
    if series.igp_metric is not None:
        arrays["igp_metric"] = series.igp_metric
    try:
        with written_whole(path) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                entry.create_system = 3
                entry.external_attr = 0o644 << 16
                with archive.open(entry, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    except OSError as error:
        raise BadInputError("file", "must be a place that can be written", error.strerror, str(path)) from None
