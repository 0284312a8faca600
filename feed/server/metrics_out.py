"""Prometheus metrics of the server, under the names of `feed.server.figures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from feed.live.samples import StationSamples
from feed.server import figures
from feed.server.figures import Figure
from feed.server.rollout import STAGES, Rollout
from router_core.units import SECOND_NS

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
TRUST_LEVELS: Final = {"probing": 0, "dynamic": 1, "static": 2, "last_good": 3}
STEP_S: Final = (0.001, 0.002, 0.005, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.025, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0)
TOOK_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)


class StationFigures(Collector):
    """The last sample of every station that ever told one.

    Parameters
    ----------
    names : sequence of str
        Stations in the order of their indices.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        count = len(names)
        self._told = np.zeros(count, dtype=np.bool_)
        self._columns: dict[Figure, NDArray[np.float64]] = {
            figure: np.zeros(count, dtype=np.float64) for figure in figures.STATIONS
        }
        self.observed_ns = 0

    def take(self, samples: StationSamples) -> None:
        """Take what stations did."""
        self._told[samples.station] = True
        self.observed_ns = max(self.observed_ns, samples.observed_ns)
        columns = (samples.utilisation, samples.waiting, samples.served_bytes, samples.up)
        for figure, values in zip(figures.STATIONS, columns, strict=True):
            if samples.window_ns > 0 or figure is figures.UP:
                self._columns[figure][samples.station] = values

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Families of all stations that told something."""
        told = np.flatnonzero(self._told).tolist()
        for figure, values in self._columns.items():
            family = GaugeMetricFamily(figure.metric, figure.en, labels=figure.labels)
            for station in told:
                family.add_metric([self._names[station]], float(values[station]))
            yield family


class ServerMetrics:
    """All figures of one server, in a registry of its own.

    Parameters
    ----------
    station_names : tuple of str
    now_ns : callable
        Since 1970 [ns].
    """

    def __init__(self, station_names: tuple[str, ...], now_ns: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self.stations = StationFigures(station_names)
        self.registry.register(self.stations)
        self._now_ns = now_ns
        self._epoch = self._gauge(figures.EPOCH)
        self._stage = self._gauge(figures.STAGE)
        self._halted = self._gauge(figures.HALTED)
        self._scopes = self._gauge(figures.SCOPES)
        self.stations_down = self._gauge(figures.STATIONS_DOWN)
        self.waiters = self._gauge(figures.WAITERS)
        self._trust = self._gauge(figures.TRUST)
        self._gauge(figures.TELEMETRY_AGE).set_function(self._telemetry_age_s)
        self.acks = self._counter(figures.ACKS)
        self.nacks = self._counter(figures.NACKS)
        self.publications = self._counter(figures.PUBLICATIONS)
        self.telemetry_rows = self._counter(figures.TELEMETRY_ROWS)
        self.requests = self._counter(figures.REQUESTS)
        self._step = self._histogram(figures.STEP, STEP_S)
        self.took = self._histogram(figures.TOOK, TOOK_S)

    def control_step(self, took_s: float) -> None:
        """Take in how long a control step of the brain took [s]."""
        self._step.observe(took_s)

    def trust(self, name: str) -> None:
        """Take in what the brain goes by, as `LiveCentre.trust` names it; other words are left out."""
        if name in TRUST_LEVELS:
            self._trust.set(TRUST_LEVELS[name])

    def rollout(self, state: Rollout, scopes: int, alive: int) -> None:
        """Take in how far a rollout has come."""
        self._epoch.labels("newest").set(state.epoch)
        self._epoch.labels("good").set(state.good)
        self._stage.set(STAGES.index(state.stage))
        self._halted.set(state.halted is not None)
        counts: Iterable[tuple[str, int]] = (
            ("all", scopes),
            ("alive", alive),
            ("given", len(state.given)),
            ("acked", len(state.acked)),
            ("nacked", len(state.nacked)),
        )
        for which, count in counts:
            self._scopes.labels(which).set(count)

    def text(self) -> bytes:
        """All figures as Prometheus takes them."""
        return generate_latest(self.registry)

    def _telemetry_age_s(self) -> float:
        observed_ns = self.stations.observed_ns
        return float("nan") if observed_ns == 0 else (self._now_ns() - observed_ns) / SECOND_NS

    def _gauge(self, figure: Figure) -> Gauge:
        return Gauge(figure.metric, figure.en, figure.labels, registry=self.registry)

    def _counter(self, figure: Figure) -> Counter:
        return Counter(figure.metric, figure.en, figure.labels, registry=self.registry)

    def _histogram(self, figure: Figure, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(figure.metric, figure.en, figure.labels, buckets=buckets, registry=self.registry)
