"""One small network on which every rule of the data plane can be worked out by hand."""

from __future__ import annotations

import numpy as np
from made_networks import INSTANT, exchanges
from made_rounds import round_of

from router_core.network_builder import Credit, NetworkBuilder, Service
from router_core.plan import Choice, Trunk
from router_core.transport import Transport
from router_core.vocabulary import NodeKind
from sim.data_plane import SetStationServers, SetStationService, SetStationUp, Snapshot
from strategies.brain import SetPlan

# Behind everything.
END = 10**9


class HandPlan:
    """One choice for all pairs, or none."""

    def __init__(self, trunks: tuple[Trunk, ...] = (), weights: tuple[int, ...] = ()) -> None:
        self._choice = Choice(trunks, weights) if trunks else None

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        return self._choice


class HandWorld:
    """Front-ends a and b at centre c, three lines from c to centre d, front-end z at d.

    A way is a, a line, the processing at c, one of the lines l0, l1, l2, the centre d, a line, z: seven stations of
    1 ns with as many servers as anyone could want. Stations given by name are as a test wants them: "a", "a>c", "b",
    "b>c", "heart" (the processing at c), "l0", "l1", "l2", "c", "d", "d/process", "d>z", "z"; `a_to_c` is "a>c".
    """

    def __init__(self, plane_class, *, transport=None, credit: Credit | None = None, **services: Service) -> None:
        given = {name.replace("_to_", ">"): service for name, service in services.items()}
        builder = NetworkBuilder(("outer",))

        def node(name: str, kind: NodeKind, **options) -> int:
            return builder.add_node(name, kind, service=given.get(name, INSTANT), **options)

        a = node("a", NodeKind.FRONT_END, credit=credit)
        b = node("b", NodeKind.FRONT_END)
        z = node("z", NodeKind.FRONT_END)
        c = node("c", NodeKind.CENTRE, process=given.get("heart", INSTANT))
        d = node("d", NodeKind.CENTRE, process=given.get("d/process", INSTANT))
        ends = {"a>c": (a, c), "b>c": (b, c), "l0": (c, d), "l1": (c, d), "l2": (c, d), "d>z": (d, z)}
        lines = {name: builder.add_line(*pair, service=given.get(name, INSTANT))[0] for name, pair in ends.items()}
        self.network = network = builder.build()
        self.node = {"a": a, "b": b, "z": z}
        self.station = {name: int(network.line_station[line]) for name, line in lines.items()}
        self.station |= {name: int(network.node_station[builder.index(name)]) for name in ("a", "b", "z", "c", "d")}
        self.station |= {
            "heart": int(network.node_process_station[c]),
            "d/process": int(network.node_process_station[d]),
        }
        self.plane = plane_class(network, transport or Transport())
        self._ends = (c, d)
        self.plan("l0")

    def trunk(self, *stations: str) -> Trunk:
        """The stations between the access lines, by name."""
        return Trunk(*self._ends, tuple(self.station[name] for name in stations))

    def plan(self, *lines: str, weights: tuple[int, ...] = (), reroute: bool = False) -> None:
        """From now on, all ways go over these lines after processing at c; or there are no ways."""
        trunks = tuple(self.trunk("heart", line, "d") for line in lines)
        self.set_plan(trunks, weights, reroute=reroute)

    def set_plan(self, trunks: tuple[Trunk, ...], weights: tuple[int, ...] = (), *, reroute: bool = False) -> None:
        self.plane.apply(SetPlan(HandPlan(trunks, weights or (1,) * len(trunks)), reroute))

    def send(self, *rows: tuple[int, int] | tuple[int, int, int], source: str | list[str] = "a") -> None:
        """Submit exchanges to z: (instant, bytes) or (instant, bytes, class)."""
        at_ns, sizes, classes = zip(*((*row, 0)[:3] for row in rows), strict=True)
        names = [source] * len(rows) if isinstance(source, str) else source
        nodes = [self.node[name] for name in names]
        self.plane.submit(exchanges(at_ns, nodes, self.node["z"], sizes, priority=classes))

    def probe(self, *rows: tuple[int] | tuple[int, int], source: str = "a", line: str = "l0") -> int:
        """Send particles to z now over a line: bytes, or bytes and class; return the number of the first."""
        names = (source, f"{source}>c", "heart", line, "d", "d>z", "z")
        way = [self.station[name] for name in names]
        return self.plane.send(round_of((way, *(*row, 0)[:2]) for row in rows))

    def came(self) -> list[int]:
        """When each particle not collected yet came in the end, -1 if it was lost."""
        self.plane.advance(END)
        collected = self.plane.collect()
        assert (np.diff(collected.number) > 0).all()
        return collected.received_ns.tolist()

    def to(self, now_ns: int) -> Snapshot:
        """Go on to an instant and look."""
        self.plane.advance(now_ns)
        return self.plane.snapshot()

    def up(self, up: bool, *names: str) -> None:
        self.plane.apply(SetStationUp(self._index(*names), np.full(len(names), up)))

    def stop(self, *names: str) -> None:
        self.up(False, *names)

    def start(self, *names: str) -> None:
        self.up(True, *names)

    def serve(self, name: str, fixed_ns: int, ps_per_byte: int) -> None:
        self.plane.apply(SetStationService(self._index(name), np.array([fixed_ns]), np.array([ps_per_byte])))

    def servers(self, name: str, servers: int) -> None:
        self.plane.apply(SetStationServers(self._index(name), np.array([servers], dtype=np.int32)))

    def _index(self, *names: str):
        return np.array([self.station[name] for name in names], dtype=np.int32)

    def at(self, now_ns: int, column: str, name: str) -> int:
        """One figure of one station at an instant."""
        return int(getattr(self.to(now_ns), column)[self.station[name]])

    def delivered(self) -> list[int]:
        """When each exchange was delivered in the end, -1 if never."""
        self.plane.advance(END)
        return self.plane.outcome().delivered_ns.tolist()
