"""Would fuzzing find a fault? Parsers with planted ones, in as many inputs as the tests give them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fuzzing import paths
from fuzzing.driving import drive, material, saved
from fuzzing.guard import GROWTH_KB_MAX, attempt, watchdog
from fuzzing.guided import has_guide
from fuzzing.paths import ROOT
from fuzzing.table import target_of
from fuzzing.target import Target

assert paths


def found(target: Target, inputs: int, seed: int = 1) -> set[tuple[str, str]]:
    """Kinds of what is found, and the errors."""
    return {(one.kind, one.place.split(" at ")[0]) for one in drive(target, inputs, seed).findings}


def test_a_parser_that_forgets_deep_nesting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim import brain_setting  # noqa: PLC0415 - what is broken here is beside how

    def forgetful(text: str) -> dict[str, object]:
        try:
            return tomllib.loads(text)
        except RecursionError as error:
            raise KeyError("bracket") from error

    monkeypatch.setattr(brain_setting, "tomllib", SimpleNamespace(loads=forgetful))
    assert ("crash", "KeyError") in found(target_of("setting"), 1_000)


def test_a_document_that_is_taken_however_it_is_written_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Anything:
        def __ne__(self, other: object) -> bool:
            return False

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = object.__hash__

    target = target_of("bundle-document")
    assert not found(target, 10), "and what it is made from is made before anything is broken"
    monkeypatch.setattr("feed.bundle.documents.canonical_json", lambda value: Anything())
    assert ("crash", "BrokenLawError") in found(target, 1_000)


def test_a_number_taken_on_trust_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fuzzing found first in telemetry: an instant beyond 64 bits."""
    from feed.server import reports  # noqa: PLC0415 - what is broken here is beside how

    before = reports.instant_of
    monkeypatch.setattr(reports, "instant_of", lambda when: before(when) * 2**8)
    assert ("crash", "OverflowError") in found(target_of("telemetry"), 2_000)


def test_a_server_that_answers_a_defect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from feed.server.service import FeedService  # noqa: PLC0415 - what is broken here is beside how

    target = target_of("http-wire")
    assert not found(target, 10)

    def broken(self: FeedService, *_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(FeedService, "telemetry", broken)
    assert ("crash", "BrokenLawError") in found(target, 500)


def planted(parse) -> Target:
    return Target("setting", "a planted fault", parse, lambda: [b"abcdef"], target_of("setting").mutate)


def endless(data: bytes) -> None:
    while len(data) > 3:
        pass


def costly(data: bytes) -> int:
    return len(bytearray(b"x") * (GROWTH_KB_MAX + (32 << 10) << 10)) if len(data) > 3 else 0


def test_an_endless_loop_is_stopped_and_told() -> None:
    with watchdog():
        _, finding = attempt(planted(endless), b"abcdef", 0.05)
    assert finding is not None
    assert finding.kind == "hang"
    assert "endless" in finding.text


def test_a_regular_expression_that_explodes_is_stopped_and_told() -> None:
    with watchdog():
        _, finding = attempt(planted(lambda data: re.fullmatch(rb"(a*)*b", b"a" * 40)), b"", 0.05)
    assert finding is not None
    assert finding.kind == "hang"


def test_a_hang_cannot_be_swallowed_by_a_parser_that_catches_everything() -> None:
    def deaf(data: bytes) -> None:
        try:
            endless(data)
        except Exception:
            return

    with watchdog():
        _, finding = attempt(planted(deaf), b"abcdef", 0.05)
    assert finding is not None


class Lingers:
    """Takes its time where nothing can be raised out of."""

    def __init__(self, seconds: float) -> None:
        self.until_s = time.process_time() + seconds

    def __del__(self) -> None:
        while time.process_time() < self.until_s:
            pass


@pytest.mark.parametrize("then", [endless, len], ids=["goes on", "ends"])
def test_a_hang_in_a_finaliser_is_told_once_and_leaves_no_word_behind(then: Callable[[bytes], object]) -> None:
    def late(data: bytes) -> None:
        Lingers(0.5)
        then(data)

    with watchdog():
        _, finding = attempt(planted(late), b"abcdef", 0.05)
        assert finding is not None
        assert finding.kind == "hang"
        assert attempt(planted(len), b"abcdef", 0.05) == (True, None), "and the next input has a time of its own"


def test_what_is_slow_only_once_is_no_hang() -> None:
    """The first input may load a library; it is not the input that is slow."""
    slow = [endless]

    def loads(data: bytes) -> int:
        return (slow.pop() if slow else len)(data)

    with watchdog():
        assert attempt(planted(loads), b"abcdef", 0.05) == (True, None)
    assert not slow


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the system cannot forget a peak of memory")
def test_an_input_that_takes_all_memory_is_told() -> None:
    target = replace(planted(costly), mutate=lambda data, random, others: data)
    assert ("memory", "memory") in found(target, 2)


def test_a_refusal_of_several_lines_or_without_a_place_is_told() -> None:
    from router_core.errors import BadInputError  # noqa: PLC0415 - what is broken here is beside how

    def vague(data: bytes) -> None:
        raise BadInputError("", "must be something else", data)

    _, finding = attempt(planted(vague), b"x")
    assert finding is not None
    assert "names place and rule" in finding.text


def replayed(name: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tests/fuzz/run.py", name, *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_a_finding_is_replayed_by_its_file(tmp_path: Path) -> None:
    target = replace(target_of("setting"), parse=endless)
    with watchdog():
        _, finding = attempt(target, material(target)[0], 0.05)
    assert finding is not None
    path = saved(finding, tmp_path)
    assert path.read_bytes() == material(target)[0]
    done = replayed("setting", path)
    assert (done.returncode, done.stdout.strip()) == (0, f"{path}: taken"), done.stderr
    assert replayed("nothing", path).returncode == 2
    assert replayed("setting", tmp_path / "none").returncode == 2


@pytest.mark.parametrize("how", ["guided", "plain"])
def test_the_soak_counts_its_inputs_and_says_how_it_went(how: str) -> None:
    if how == "guided" and not has_guide():
        how = "plain"  # and the first line of the soak says that
    command = [
        sys.executable,
        "tests/fuzz/soak.py",
        "--inputs",
        "2000",
        "--targets",
        "status,trust",
        "--processes",
        "1",
    ]
    done = subprocess.run(
        command + ["--plain"] * (how == "plain"), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, *_, last = done.stdout.strip().splitlines()
    assert ("guided by coverage" in first) == (how == "guided")
    assert int(last.split()[0].replace(",", "")) >= 2_000
    assert "M would take" in last
    assert last.endswith("found: 0")
