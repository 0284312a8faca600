"""Carries out the troubles that strike machines and people's acts, each at its instant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from router_core.network import Network
from router_core.units import SECOND_NS
from swarm.centre_machine import CentreMachine
from swarm.context import Context
from swarm.end_machine import EndMachine
from swarm.stale import stale_network
from swarm.strangers import Strangers
from swarm.troubles import Kind, Trouble

Act = Callable[[], object]
# A policy is put in force in some ten acts of the disk.
ACTS_MAX = 40


class Happenings:
    """Starts the machines, and lets happen to them what is to happen.

    Parameters
    ----------
    context : Context
    centre : CentreMachine
    ends : list of EndMachine
    """

    def __init__(self, context: Context, centre: CentreMachine, ends: list[EndMachine]) -> None:
        self._context = context
        self._centre = centre
        self._ends = ends
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Install trust, start everybody, and have the troubles come."""
        context = self._context
        for end in self._ends:
            context.keys.install(end.trust_file, 1)
            # Not all in the same instant, as no province switches on at once.
            begin_ns = int(context.draw(f"start {end.end}").integers(0, 20 * SECOND_NS))
            context.loop.call_at_ns(begin_ns, end.start)
        self._centre.start()
        self._tasks = [
            context.loop.create_task(self._centre.operate()),
            context.loop.create_task(Strangers(context).ask()),
        ]
        for one in context.spec.troubles:
            begin, finish = self._acts(one)
            context.loop.call_at_ns(context.begin_ns + one.from_ns, begin)
            context.loop.call_at_ns(context.begin_ns + one.until_ns, finish)

    def end(self) -> None:
        """Let go of everything: whoever waits would wait for ever, and hold on to the whole world."""
        for task in self._tasks:
            task.cancel()
        for end in self._ends:
            end.kill()
        self._centre.die()
        self._context.loop.close()

    def _acts(self, one: Trouble) -> tuple[Act, Act]:
        """What is done when a trouble begins, and when it is over; others see by themselves that it is in force."""
        end = self._ends[one.whom % len(self._ends)]
        either = one.whom % (len(self._ends) + 1)
        old = stale_network(self._context.scene.text) if one.kind is Kind.TOPOLOGY_STALE else self._context.network
        acts: dict[Kind, tuple[Act, Act]] = {
            Kind.FEED_DOWN: (lambda: self._centre.die(one.until_ns - one.from_ns), _nothing),
            Kind.AGENT_KILLED: (lambda: self._arm(end.end, one, power=False), lambda: self._disarm(end.end)),
            Kind.POWER_LOST: (lambda: self._arm(either, one, power=True), lambda: self._disarm(either)),
            Kind.DISK_FULL: (self._look_at_disks, self._look_at_disks),
            Kind.DISK_FAILING: (self._look_at_disks, self._look_at_disks),
            Kind.BUNDLE_ROTTEN: (lambda: self._rot(end, one), _nothing),
            Kind.TOPOLOGY_STALE: (
                lambda: self._install(end, old),
                lambda: self._install(end, self._context.network),
            ),
            Kind.KEY_ROTATED: (lambda: self._rotate(one), _nothing),
        }
        return acts.get(one.kind, (_nothing, _nothing))

    def _machine(self, number: int) -> EndMachine | CentreMachine:
        return self._ends[number] if number < len(self._ends) else self._centre

    def _arm(self, machine: int, one: Trouble, *, power: bool) -> None:
        """Let a machine die at one of the next acts of its disk."""
        disk = self._machine(machine).disk
        if disk is not None:
            disk.die_after(1 + int(one.strength * ACTS_MAX), power=power)

    def _disarm(self, machine: int) -> None:
        disk = self._machine(machine).disk
        if disk is not None:
            disk.spare_it()

    def _look_at_disks(self) -> None:
        for machine in (*self._ends, self._centre):
            if machine.disk is not None:
                place = machine.end if isinstance(machine, EndMachine) else len(self._ends)
                self._context.set_disk(machine.disk, place)

    def _rot(self, end: EndMachine, one: Trouble) -> None:
        """Damage a bundle that a front-end keeps, and start its agent again: it is read at the start."""
        kept = sorted((end.folder / "state" / "bundles").glob("*.bundle"))
        if kept:
            path = kept[one.whom % len(kept)]
            data = bytearray(path.read_bytes())
            data[int(one.strength * len(data))] ^= 1
            path.write_bytes(bytes(data))
        end.kill()

    def _install(self, end: EndMachine, network: Network) -> None:
        end.network = network
        end.kill()

    def _rotate(self, one: Trouble) -> None:
        """Install the next trust, front-end by front-end, and have the server go over to the new key meanwhile."""
        context = self._context
        span_ns = one.until_ns - one.from_ns
        for end in self._ends:
            at_ns = context.loop.now_ns + int(context.draw(f"rotation {end.end}").integers(0, span_ns))
            context.loop.call_at_ns(at_ns, lambda file=end.trust_file: context.keys.install(file, 2))
        context.loop.call_at_ns(context.loop.now_ns + int(span_ns * one.strength), self._go_over)

    def _go_over(self) -> None:
        self._centre.version = 2
        self._centre.die()


def _nothing() -> None:
    """Others see that it is in force."""
