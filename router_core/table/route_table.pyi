from typing import final

import numpy as np
from numpy.typing import NDArray

from router_core.plan import Choice
from router_core.table.parts import Route, TableParts

@final
class RouteTable:
    def __init__(self, parts: TableParts) -> None: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def route_count(self) -> int: ...
    @property
    def trunk_count(self) -> int: ...
    def lookup(self, source: int, target: int, priority: int, exchange_id: int, attempt: int = 0) -> Route | None: ...
    def lookup_live(
        self,
        source: int,
        target: int,
        priority: int,
        exchange_id: int,
        down: NDArray[np.uint8] | NDArray[np.bool_],
        attempt: int = 0,
    ) -> Route | None: ...
    def lookup_many(
        self,
        source: NDArray[np.int32],
        target: NDArray[np.int32],
        priority: NDArray[np.int8],
        exchange_id: NDArray[np.int64],
        *,
        out: NDArray[np.int32] | None = None,
        down: NDArray[np.uint8] | NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int32]: ...
    def route(self, number: int) -> Route: ...
    def stations(self, number: int) -> tuple[int, ...]: ...
    def choice(self, source_group: int, target_group: int, priority: int | None = None) -> Choice | None: ...

@final
class CurrentTable:
    def __init__(self, table: RouteTable) -> None: ...
    @property
    def table(self) -> RouteTable: ...
    @property
    def epoch(self) -> int: ...
    def read(self) -> tuple[int, RouteTable]: ...
    def publish(self, table: RouteTable) -> RouteTable: ...
