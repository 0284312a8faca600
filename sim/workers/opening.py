"""How workers are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from router_core.errors import BadInputError
from sim.workers.workers import PLACE, Workers

PROCESSES_MAX: Final = 4096
FORMS: Final = "must be `here`, a number of processes N or `loky:N`, or `spark:MASTER`"


@contextmanager
def open_workers(text: str | None) -> Iterator[Workers]:
    """Let workers stand ready while the block runs; afterwards nothing of them is left.

    Parameters
    ----------
    text : str or None
        ``here``: plain calls; ``N`` or ``loky:N``: N processes of this machine; ``spark:MASTER``: a Spark cluster, or
        whatever else Spark takes for a master; None: one process a core of this machine.

    Raises
    ------
    BadInputError
        If the text is none of these, or if what they need is not installed.
    """
    form, _, detail = (text or "loky:").partition(":")
    if re.fullmatch(r"[0-9]+", form) and ":" not in (text or ""):
        form, detail = "loky", form
    match form:
        case "here" if text == "here":
            from sim.workers.here import HereWorkers  # noqa: PLC0415 - each kind loads what it needs alone

            yield HereWorkers()
        case "loky" if text is None or re.fullmatch(r"[0-9]+", detail):
            processes = None if text is None else int(detail)
            if processes is not None and not 1 <= processes <= PROCESSES_MAX:
                raise BadInputError(PLACE, f"must be 1..{PROCESSES_MAX} processes", text)
            from sim.workers.loky_workers import LokyWorkers  # noqa: PLC0415

            with LokyWorkers(processes) as loky:
                yield loky
        case "spark" if detail.strip():
            from sim.workers.spark_workers import SparkWorkers  # noqa: PLC0415

            with SparkWorkers(detail) as spark:
                yield spark
        case _:
            raise BadInputError(PLACE, FORMS, text)
