"""Asynchronous code in a thread of its own: another test of the process may have left a loop running in this one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_ResultT = TypeVar("_ResultT")


def run_apart(make: Callable[[], Coroutine[Any, Any, _ResultT]]) -> _ResultT:
    """Make a coroutine and run it to its end, over there."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(make())).result()
