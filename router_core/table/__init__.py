"""The route table: which way each exchange takes, in nanoseconds, while plans come and go."""

from router_core.table.build import route_table, table_parts
from router_core.table.parts import NO_ROUTE, NONE_LIVE, Route, TableParts
from router_core.table.route_table import CurrentTable, RouteTable

__all__ = ["NONE_LIVE", "NO_ROUTE", "CurrentTable", "Route", "RouteTable", "TableParts", "route_table", "table_parts"]
