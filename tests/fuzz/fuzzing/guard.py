"""One input at a time, watched: what comes out of the parser, how long it takes, and how much memory.

The second of processor time that an input may take is no measurement of speed, which a test must not make, but a
watchdog: inputs are small, and what takes a second takes a thousand times as long as the others.
"""

from __future__ import annotations

import gc
import resource
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from fuzzing.target import BrokenLawError, Target
from router_core.errors import BadInputError

HANG_S: Final = 1.0
GROWTH_KB_MAX: Final = 256 << 10
ROOT: Final = Path(__file__).resolve().parents[3]


class HangError(BaseException):
    """The watchdog; no `Exception`, so that a parser that catches those does not swallow it."""


@dataclass(frozen=True)
class Finding:
    """An input that a parser must not answer so.

    Attributes
    ----------
    target : str
    kind : str
        ``crash``, ``hang`` or ``memory``.
    place : str
        Error and line of the project where it arose: findings of one place are one.
    text : str
        For people.
    data : bytes
    """

    target: str
    kind: str
    place: str
    text: str
    data: bytes


@contextmanager
def watchdog() -> Iterator[None]:
    """Within this block `attempt` stops what hangs; it takes the signal SIGPROF."""
    before, unraisable = signal.signal(signal.SIGPROF, _hangs), sys.unraisablehook

    def hook(lost: sys.UnraisableHookArgs) -> None:
        # The signal came within a finaliser or a callback of a weak reference, out of which nothing is raised;
        # the alarm remembers that it rang, and rings again while the parser goes on.
        if not isinstance(lost.exc_value, HangError):
            unraisable(lost)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
        sys.unraisablehook = unraisable


def attempt(target: Target, data: bytes, hang_s: float = HANG_S) -> tuple[bool, Finding | None]:
    """Give a parser one input; return whether it took it, and what is wrong with that if anything is.

    Within `watchdog` alone is a hang noticed. It is one when the same input hangs twice: the first time it may have
    loaded a library, or collected the garbage of all that went before.
    """
    taken, finding = _once(target, data, hang_s)
    if finding is not None and finding.kind == "hang":
        gc.collect()
        taken, finding = _once(target, data, hang_s)
    return taken, finding


def forget_peak() -> None:
    """Let the peak of memory be what is in use now, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _once(target: Target, data: bytes, hang_s: float) -> tuple[bool, Finding | None]:
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken, error = False, None
    _alarm.rang = None
    try:
        signal.setitimer(signal.ITIMER_PROF, hang_s, hang_s)
        try:
            taken = target.parse(data) is not None
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
    except target.declared as refusal:
        error = _unclear(refusal)
    except HangError as hang:
        return False, _finding(target, "hang", hang, data)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as crash:  # a parser's panic in another language is no Exception
        error = crash
    if _alarm.rang is not None:
        return taken, _finding(target, "hang", _alarm.rang, data)
    if error is not None:
        return taken, _finding(target, "crash", error, data)
    growth_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb
    if growth_kb > GROWTH_KB_MAX:
        text = f"{len(data)} bytes of input made the process grow by {growth_kb >> 10} MB"
        return taken, Finding(target.name, "memory", "memory", text, data)
    return taken, None


class _Alarm:
    """What was raised at the input that is being tried."""

    rang: HangError | None = None


_alarm: Final = _Alarm()


def _hangs(_number: int, frame: FrameType | None) -> NoReturn:
    _alarm.rang = HangError("more processor time than an input may take")
    raise _alarm.rang


def _unclear(refusal: Exception) -> Exception | None:
    """What is wrong with a refusal: its text must be one line that names place, rule and value."""
    line = str(refusal)
    if not line or len(line.splitlines()) != 1 or not line.isprintable():
        return AssertionError(f"a refusal is one printable line: {line!r}")
    if isinstance(refusal, BadInputError) and not (refusal.place and refusal.rule):
        return AssertionError(f"a refusal names place and rule: {line!r}")
    return None


def _finding(target: Target, kind: str, error: BaseException, data: bytes) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if Path(one.filename).is_relative_to(ROOT) and "site-packages" not in one.filename]
    if isinstance(error, BrokenLawError):
        own = own[:-1]  # the law is where `hold` was called
    last = own[-1] if own else None
    where = f"{Path(last.filename).relative_to(ROOT)}:{last.lineno}" if last else "nowhere"
    text = "".join(traceback.format_exception(error)).strip()
    return Finding(target.name, kind, f"{type(error).__name__} at {where}", text[-4_000:], data)
