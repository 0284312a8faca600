"""The compiled data plane's engine: exchanges over stations between two control events, to the integer.

`docs/adr/0007-how-exchanges-move.md` has the rules, `docs/adr/0008-engine.md` how they are computed fast.
"""

from router_core.engine.core import Engine, Run

__all__ = ["Engine", "Run"]
