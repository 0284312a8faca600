"""Planes with one planted fault each: what a comparison of data planes has to find."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from operator import itemgetter

import numpy as np
from compare_planes import PlaneFactory
from made_rounds import round_of

from router_core.exchanges import Exchanges
from router_core.network import Network, frozen
from router_core.transport import Transport
from router_core.vocabulary import Discipline
from sim.data_plane import Collected, DataPlane, Outcome, PlaneCommand, SetStationUp
from sim.particle_checks import ParticleCheck
from sim.plane_checks import check_batch, check_command
from sim.reference_plane import ReferencePlane
from strategies.brain import SendParticles, SetPlan


def _altered(network: Network, **columns) -> Network:
    frozen_columns = {name: frozen(values, values.dtype.type) for name, values in columns.items()}
    return replace(network, **frozen_columns)


def forgets_spill(network: Network, transport: Transport) -> DataPlane:
    """What waited on disk is served as fast as what waited in memory."""
    nothing = np.zeros(network.station_count, dtype=np.int64)
    columns = {"station_spill_fixed_ns": nothing, "station_spill_ps_per_byte": nothing}
    return ReferencePlane(_altered(network, **columns), transport)


def ignores_classes(network: Network, transport: Transport) -> DataPlane:
    """Strict priority is first come, first served."""
    discipline = network.station_discipline.copy()
    discipline[discipline == Discipline.PRIORITY] = Discipline.FIFO
    return ReferencePlane(_altered(network, station_discipline=discipline), transport)


def hurries_credit(network: Network, transport: Transport) -> DataPlane:
    """A credit is back 1 ns after delivery."""
    return ReferencePlane(
        _altered(network, node_credit_return_ns=np.ones_like(network.node_credit_return_ns)), transport
    )


def doubles_slowly(network: Network, transport: Transport) -> DataPlane:
    """Every back-off is as long as the first."""
    return ReferencePlane(network, replace(transport, backoff_ns_max=transport.backoff_ns))


class NeverReroutes(ReferencePlane):
    """Those under way keep their route under a new plan."""

    def apply(self, command: PlaneCommand) -> None:
        super().apply(SetPlan(command.plan) if isinstance(command, SetPlan) else command)


class ForgetsSecondStop(ReferencePlane):
    """Of stations that stop at once, the last one does not."""

    def __init__(self, network: Network, transport: Transport) -> None:
        super().__init__(network, transport)
        self._checked = network

    def apply(self, command: PlaneCommand) -> None:
        check_command(self._checked, command)
        if isinstance(command, SetStationUp) and len(command.station) > 1 and not command.up.any():
            command = SetStationUp(command.station[:-1], command.up[:-1])
        super().apply(command)


class ReversesTies(ReferencePlane):
    """Exchanges submitted at one instant in one batch go in reverse order of their ids."""

    def __init__(self, network: Network, transport: Transport) -> None:
        super().__init__(network, transport)
        self._checked = network
        self._order: list[int] = []

    def submit(self, batch: Exchanges) -> None:
        check_batch(self._checked, batch, len(self._order), 0)
        rows = enumerate(batch.submitted_ns.tolist())
        order = [row for _, tied in groupby(rows, itemgetter(1)) for row in reversed([row for row, _ in tied])]
        super().submit(batch[np.array(order, dtype=np.int64)])
        self._order += [len(self._order) + row for row in order]

    def outcome(self) -> Outcome:
        back = np.argsort(np.array(self._order, dtype=np.int64))
        shown = super().outcome()
        return Outcome(shown.delivered_ns[back], shown.refusal[back], shown.retries[back])


class ForgetsParticlesClasses(ReferencePlane):
    """All particles are of the first class."""

    def __init__(self, network: Network, transport: Transport) -> None:
        super().__init__(network, transport)
        self._checked = ParticleCheck(network)

    def send(self, particles: SendParticles) -> int:
        self._checked.check(particles, 0)
        return super().send(replace(particles, priority=np.zeros_like(particles.priority)))


class ReversesParticles(ForgetsParticlesClasses):
    """Particles of one round move in reverse order of their numbers."""

    def __init__(self, network: Network, transport: Transport) -> None:
        super().__init__(network, transport)
        self._order: list[int] = []

    def send(self, particles: SendParticles) -> int:
        self._checked.check(particles, 0)
        start, count = particles.route_start.tolist(), len(particles.priority)
        ways = [tuple(particles.route_station[start[i] : start[i + 1]].tolist()) for i in range(count)]
        rows = zip(ways, particles.payload_bytes.tolist(), particles.priority.tolist(), strict=True)
        first = ReferencePlane.send(self, round_of(reversed(list(rows))))
        self._order += reversed(range(first, first + count))
        return first

    def collect(self) -> Collected:
        shown = super().collect()
        number = np.array(self._order, dtype=np.int64)[shown.number]
        order = number.argsort()
        return Collected(number[order], shown.received_ns[order])


FAULTY: dict[str, PlaneFactory] = {
    "forgets-spill": forgets_spill,
    "ignores-classes": ignores_classes,
    "hurries-credit": hurries_credit,
    "doubles-slowly": doubles_slowly,
    "never-reroutes": NeverReroutes,
    "forgets-second-stop": ForgetsSecondStop,
    "reverses-ties": ReversesTies,
    "forgets-particles-classes": ForgetsParticlesClasses,
    "reverses-particles": ReversesParticles,
}
