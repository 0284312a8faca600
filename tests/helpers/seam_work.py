"""Work for the seam's workers, wherever they are; what must be known across processes lies in files."""

from __future__ import annotations

import os
import signal
import time
import warnings
from hashlib import sha256
from pathlib import Path
from threading import Lock, get_native_id

from router_core.errors import BadInputError
from sim.workers import tell

WRONG = 13
# How long `marked` takes [s].
MARKED_S = 0.4


class StubbornError(Exception):
    """It needs two arguments, and pickles one: it cannot come back."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def squared(number: int) -> int:
    tell(f"{number} is at work")
    return number * number


def told_much(number: int) -> int:
    for part in range(50):
        tell((part, "x" * 2_000))
    return number


def slept(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def refused(number: int) -> int:
    if number == WRONG:
        raise BadInputError("number", "must bring luck", number, "numbers.toml")
    return number


def refused_late(job: tuple[Path, int]) -> int:
    """The item WRONG fails; each that began leaves a mark."""
    folder, number = job
    (folder / str(number)).touch()
    if number == WRONG:
        raise BadInputError("number", "must bring luck", number)
    time.sleep(0.05)
    return number


def stubborn(number: int) -> int:
    raise StubbornError("cannot be ", f"moved by {number}")


def locked(number: int) -> object:
    return Lock()


def warned(number: int) -> int:
    warnings.warn("a remark", UserWarning, stacklevel=1)
    return number


def threads_and_place(number: int) -> tuple[int, str]:
    """How many threads this process' BLAS takes, and the process."""
    import numpy as np  # noqa: PLC0415 - so that tests of little are soon up
    from threadpoolctl import threadpool_info  # noqa: PLC0415

    np.ones((2, 2)) @ np.ones((2, 2))
    time.sleep(0.1)
    return max((one["num_threads"] for one in threadpool_info()), default=1), str(os.getpid())


def fallen(job: tuple[Path, int, int]) -> int:
    """Take the process with it as many times as said, then return the number."""
    folder, number, times = job
    fallen_before = len(list(folder.glob(f"{number}.*")))
    if fallen_before < times:
        (folder / f"{number}.{fallen_before}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return number


def marked(job: tuple[Path, int]) -> int:
    """Leave a mark a time it is done, with the process in it, and take a while."""
    folder, number = job
    (folder / f"{number}-{os.getpid()}-{get_native_id()}-{time.monotonic_ns()}").touch()
    time.sleep(MARKED_S)
    return number * 7


def replayed(job: tuple[str, int]) -> tuple[str, str]:
    """A brain's replay of an hour of the toy: digests of the figures and of what stations did, to the bit."""
    from learnt_toy import brain_of, hours, lived  # noqa: PLC0415 - it takes a second

    name, seed = job
    found = lived(brain_of(name, 9), hours(9, 1, seed=seed), seed=seed)
    stations = sha256()
    for value in vars(found.stations).values():
        stations.update(value.tobytes() if hasattr(value, "tobytes") else repr(value).encode())
    return sha256(found.metrics.model_dump_json().encode()).hexdigest(), stations.hexdigest()
