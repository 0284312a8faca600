"""Telemetry as OpenMetrics text: a quick way for the families of `feed.server.figures`, the library for the rest.

`prometheus_client` takes 0.22 s for a second's 12,000 samples of 3,000 stations, which the quick way reads in a tenth
of that. It reads a part of the format: our families, each in one piece, each sample with its one label and without a
time stamp. Whatever else a text holds, the library reads, up to a size; what it takes for no OpenMetrics is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from feed.server.figures import SERVED_BYTES, STATIONS, UP, UTILISATION, WAITING, WINDOW, WINDOW_END
from feed.server.reports import AMOUNT_MAX, UTILISATION_MAX, WINDOW_S_MAX, RawStations
from router_core.errors import BadInputError
from router_core.units import SECOND_NS

# The library's time for a text of this size is a quarter of a second.
OTHER_BYTES_MAX: Final = 1 << 20
END: Final = "# EOF\n"
INSTANT_S_MAX: Final = 2.0**33
_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_NUMBER: Final = r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,3})?"
_STATION: Final = r'"((?:[^"\\\n]|\\[\\"n])*)"'
_TYPE: Final = re.compile(rf"# TYPE ({_NAME}) gauge\n")
_HELP: Final = re.compile(rf"# HELP ({_NAME}) [^\\\n]*\n")
_WHOLE: Final = re.compile(rf"({_NAME}) ({_NUMBER})\n")
_ESCAPE: Final = re.compile(r'\\([\\"n])')
_SCALARS: Final = (WINDOW.metric, WINDOW_END.metric)
_BY_STATION: Final = {
    # From the begin of a line on: what stands before a sample is no part of it.
    figure.metric: re.compile(rf"^{figure.metric}\{{station={_STATION}\}} ({_NUMBER})\n", re.MULTILINE)
    for figure in STATIONS
}
# Of each family either one value, or one by station.
Families = dict[str, dict[str, float]]


def stations_of(data: bytes, stations_max: int) -> RawStations:
    """Return what a text tells of stations.

    Parameters
    ----------
    data : bytes
        UTF-8.
    stations_max : int

    Raises
    ------
    BadInputError
        If it is no OpenMetrics text, or does not tell all four figures of each station, and the window.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadInputError("text", "must be UTF-8", f"byte {error.start}") from None
    if not text.endswith(END):
        raise BadInputError("text", "must end with a line # EOF", text[-20:])
    families = quick(text)
    if families is None:
        if len(data) > OTHER_BYTES_MAX:
            rule = f"must be at most {OTHER_BYTES_MAX} bytes if it has more than our families, without time stamps"
            raise BadInputError("text", rule, len(data))
        families = thorough(text)
    return _raw(families, stations_max)


def quick(text: str) -> Families | None:
    """Return the families of a text that has nothing else, `None` if it has or something is wrong with it."""
    found: Families = {}
    place, end = 0, len(text) - len(END)
    while place < end:
        helped = _HELP.match(text, place)
        typed = _TYPE.match(text, helped.end() if helped else place)
        if typed is None or typed[1] in found or (helped and helped[1] != typed[1]):
            return None
        values, place = _family(text, typed[1], typed.end())
        if values is None:
            return None
        found[typed[1]] = values
    return found if place == end else None


def _family(text: str, name: str, place: int) -> tuple[dict[str, float] | None, int]:
    """Read the samples of a family from a place on, and return where they end; none if one is not as it must be."""
    if name in _SCALARS:
        match = _WHOLE.match(text, place)
        return ({"": float(match[2])}, match.end()) if match is not None and match[1] == name else (None, place)
    pattern = _BY_STATION.get(name)
    stop = text.find("\n# ", place) + 1
    if pattern is None or not stop:
        return None, place
    block = text[place:stop]
    samples = pattern.findall(block)
    values = {_unescaped(station) if "\\" in station else station: float(value) for station, value in samples}
    # Every line must be a sample, and of another station: what the pattern skipped would be missing here.
    whole = len(values) == len(samples) == block.count("\n") and block.startswith(name)
    return (values if whole else None), stop


def thorough(text: str) -> Families:
    """Return our families of any OpenMetrics text; others are left alone.

    Raises
    ------
    BadInputError
        If it is none, or a sample of ours is not as it must be.
    """
    found: Families = {}
    stamps: set[float] = set()
    try:
        for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
            if family.name in _SCALARS or family.name in _BY_STATION:
                _take(family, found, stamps)
    except BadInputError:
        raise
    except Exception as error:  # the library raises what its own lines happen to
        raise BadInputError("text", "must be OpenMetrics", str(error) or type(error).__name__) from None
    for name, values in found.items():
        # The library drops a sample that comes a second time, whatever its value.
        if f"\n{text}".count(f"\n{name}{{") > len(values):
            raise BadInputError(name, "must have one sample a station", "several")
    if stamps - {found.get(WINDOW_END.metric, {}).get("")}:
        raise BadInputError("time stamps", f"must be {WINDOW_END.metric}, or left out", min(stamps))
    return found


def _take(family: Metric, found: Families, stamps: set[float]) -> None:
    label = {"station"} if family.name in _BY_STATION else set()
    values = found.setdefault(family.name, {})
    for sample in family.samples:
        if set(sample.labels) != label or sample.name != family.name:
            raise BadInputError(family.name, f"must be a gauge with the labels {sorted(label)}", sample.labels)
        values[sample.labels.get("station", "")] = float(sample.value)
        if sample.timestamp is not None:
            stamps.add(float(sample.timestamp))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def _raw(families: Mapping[str, Mapping[str, float]], stations_max: int) -> RawStations:
    window: list[int] = []
    for name, high in ((WINDOW_END.metric, INSTANT_S_MAX), (WINDOW.metric, WINDOW_S_MAX)):
        value = families.get(name, {}).get("")
        if value is None or not 0 <= value <= high:
            raise BadInputError(name, f"must be there, and in 0..{high:g}", value)
        window.append(round(value * SECOND_NS))
    columns = {figure.metric: families.get(figure.metric, {}) for figure in STATIONS}
    names = list(columns[UTILISATION.metric])
    if len(names) > stations_max:
        raise BadInputError("stations", f"must be at most {stations_max}", len(names))
    for figure in STATIONS:
        odd = columns[figure.metric].keys() ^ columns[UTILISATION.metric].keys()
        if odd:
            raise BadInputError(f"station {min(odd)}", f"must have all of {', '.join(columns)}", figure.metric)
    bounds = ((UTILISATION, UTILISATION_MAX, False), (WAITING, AMOUNT_MAX, True), (SERVED_BYTES, AMOUNT_MAX, True))
    for figure, high, whole in (*bounds, (UP, 1, True)):
        for name, value in columns[figure.metric].items():
            if not 0 <= value <= high or (whole and value % 1):
                rule = f"must be a {'whole ' if whole else ''}number in 0..{high:g}"
                raise BadInputError(f"{figure.metric} {name}", rule, value)
    waiting, served, up = (columns[figure.metric] for figure in (WAITING, SERVED_BYTES, UP))
    return RawStations(
        window[0],
        window[1],
        names,
        [columns[UTILISATION.metric][name] for name in names],
        [int(waiting[name]) for name in names],
        [int(served[name]) for name in names],
        [bool(up[name]) for name in names],
    )
