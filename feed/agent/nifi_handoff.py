"""Tasks handed to NiFi by a folder, and what became of them learnt from another one (`docs/agent.md`).

An attempt is the document ``<task>.<attempt>.json`` in ``in/``, with the payload's file named in it, which lies beside
it already. The document is first written to ``ready/``, and handed over by one rename. So a crash leaves it either
in ``ready/``, where nobody reads it and it is handed over when it is sent again, or handed over; never both.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from feed.agent.carriers import Delivered, Failed, Order, Settled, UnderWay
from feed.agent.tasks import FILE_NAME
from feed.disk import SYSTEM_DISK, Disk
from feed.durable import READABLE, is_of_the_machine
from router_core.network import Network

READY: Final = "ready"
HANDED: Final = "in"
TOLD: Final = "outcome"
STRANGE: Final = "strange"
OUTCOME_BYTES_MAX: Final = 16 << 10


class OutcomeDocument(BaseModel):
    """``outcome/*.json``: what NiFi tells of an attempt.

    Attributes
    ----------
    task : str
    attempt : int
    result : str
    station : str or None
        The station that stopped it, by its name, where that is known.
    detail : str
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    task: Annotated[str, Field(pattern=FILE_NAME)]
    attempt: Annotated[int, Field(ge=0, lt=2**31)]
    result: Literal["delivered", "failed"]
    station: Annotated[str, Field(max_length=400)] | None = None
    detail: Annotated[str, Field(max_length=2_000)] = ""


class NifiHandoff:
    """`Carrier` by NiFi's folders.

    Parameters
    ----------
    folder : Path
        Holds ``ready``, ``in``, ``outcome`` and ``strange``, on one file system; made if they are not there.
    network : Network
    disk : Disk, optional
    """

    def __init__(self, folder: Path, network: Network, disk: Disk = SYSTEM_DISK) -> None:
        self._folder = folder
        self._disk = disk
        for name in (READY, HANDED, TOLD, STRANGE):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._station = {name: index for index, name in enumerate(network.station_name)}

    def send(self, order: Order) -> UnderWay:
        """Hand an attempt over, unless it was handed over already."""
        document, ready = f"{order.key}.json", self._folder / READY
        note = ready / f"{order.key}.handed"
        # The note is written before the rename and stays: without it the document has surely not been handed over.
        if not note.exists():
            payload = self._folder / HANDED / f"{order.key}.payload"
            self._disk.place(order.payload, payload)
            text = json.dumps({**order.attributes, "payload": payload.name}, ensure_ascii=False, sort_keys=True)
            self._disk.write(ready / document, text.encode(), READABLE)
            self._disk.write(note, b"")
        try:
            self._disk.move(ready / document, self._folder / HANDED / document)
        except FileNotFoundError:
            return UnderWay()
        self._disk.sync(self._folder / HANDED)
        self._disk.sync(ready)
        return UnderWay()

    def outcomes(self) -> Sequence[Settled]:
        """Read what NiFi has told; what is no outcome goes to ``strange/``."""
        found = []
        for path in sorted((self._folder / TOLD).glob("[!.]*.json")):
            document = _outcome(self._disk, path)
            if document is None:
                self._disk.move(path, self._free(path.name))
            else:
                station = None if document.station is None else self._station.get(document.station)
                outcome = Delivered() if document.result == "delivered" else Failed(station, document.detail)
                found.append(Settled(document.task, document.attempt, outcome))
        return found

    def forget(self, settled: Sequence[Settled]) -> None:
        """Remove the outcomes, and what is left of their attempts."""
        for one in settled:
            key = f"{one.task}.{one.attempt}"
            self._disk.remove(self._folder / HANDED / f"{key}.payload")
            self._disk.remove(self._folder / READY / f"{key}.handed")
            self._disk.remove(self._folder / TOLD / f"{key}.json")

    def _free(self, name: str) -> Path:
        """A name in ``strange/`` that nothing has: a folder there would stop every rename onto it."""
        path, number = self._folder / STRANGE / name, 0
        while os.path.lexists(path):
            number += 1
            path = self._folder / STRANGE / f"{number}.{name}"
        return path

    @property
    def strange(self) -> int:
        """How many files lie in ``strange/``."""
        return sum(1 for _ in (self._folder / STRANGE).iterdir())


def _outcome(disk: Disk, path: Path) -> OutcomeDocument | None:
    """Read an outcome, None if it is none, or told under another name than its attempt's."""
    try:
        handle = disk.opened(path)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            document = OutcomeDocument.model_validate_json(file.read(OUTCOME_BYTES_MAX))
    except OSError as error:
        if is_of_the_machine(error):
            raise  # an outcome is not put aside for what the disk does: it is told once
        return None
    except ValidationError:
        return None
    return document if path.name == f"{document.task}.{document.attempt}.json" else None
