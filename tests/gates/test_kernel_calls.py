"""Kernels are timed on real calls whose work is looked at; those that are named exist."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import kernel_work
import numpy as np
import pytest
from kernel_scenes import SCENES, Scene

README = Path(__file__).resolve().parents[2] / "router_core" / "kernels" / "README.md"
NAMES = [name for scene in SCENES for name in scene.kernels]


@pytest.fixture
def module(monkeypatch):
    """A module with a kernel that adds, and a caller in another one."""
    made = ModuleType("made_kernels")

    def add(start, numbers, into):
        into += numbers
        return start + int(numbers.sum())

    made.add = add  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_kernels", made)
    caller = ModuleType("made_caller")
    caller.taken = add  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "made_caller", caller)
    return made


def call_of(module, monkeypatch):
    def act():
        taken = sys.modules["made_caller"].taken
        for length in (3, 8, 5):
            taken(length, np.arange(length), np.zeros(length, np.int64))
        taken(99, np.arange(8), np.zeros(8, np.int64))

    scene = Scene({"made_kernels": ("add",)}, lambda: act)
    monkeypatch.setattr(kernel_work, "SCENES", (scene,))
    return kernel_work.gathered(frozenset({"made_kernels.add"}))["made_kernels.add"]


@pytest.mark.parametrize("name", NAMES)
def test_a_kernel_that_is_timed_exists(name):
    place, attribute = name.rsplit(".", 1)
    assert callable(getattr(import_module(place), attribute))


def test_no_kernel_is_timed_twice_and_most_of_the_list_are():
    assert len(NAMES) == len(set(NAMES))
    listed = README.read_text(encoding="utf-8")
    assert sum(name.rsplit(".", 1)[1] in listed for name in NAMES) >= 22


def test_the_first_of_the_largest_calls_is_kept_as_it_was_before_and_after(module, monkeypatch):
    call = call_of(module, monkeypatch)
    assert (call.before[0], call.result) == (8, 8 + 28)
    assert not call.before[2].any()
    assert call.after[2].tolist() == list(range(8))
    # What was put in place of the kernel is gone.
    assert sys.modules["made_caller"].taken is module.add


def test_a_call_that_brings_something_else_the_second_time_is_an_error(module, monkeypatch):
    call = call_of(module, monkeypatch)
    place, table = np.arange(8), np.arange(8)
    assert kernel_work.ratio(call, place, table, 0) > 0
    idle = kernel_work.Call(lambda *given: call.result, call.before, call.after, call.result)
    with pytest.raises(AssertionError, match="something else"):
        kernel_work.ratio(idle, place, table, 0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_copies_lie_on_cache_lines_and_are_as_their_originals_to_the_compiler(order):
    one = np.asarray(np.random.default_rng(1).random((5, 7)), order=order)
    one.setflags(write=False)
    own, number, (inner,) = kernel_work.copied((one, 3, (one,)))
    assert number == 3
    for copy in (own, inner):
        assert copy is not one
        assert copy.ctypes.data % kernel_work.LINE_BYTES == 0
        assert not copy.flags.writeable
        assert (copy.flags.c_contiguous, copy.flags.f_contiguous) == (one.flags.c_contiguous, one.flags.f_contiguous)
        np.testing.assert_array_equal(copy, one)


def test_the_reference_adds_what_it_says():
    place, table = np.array([1, 2, 3, 0, 2, 2, 2, 2]), np.array([9, 20, 30, 40])
    assert kernel_work.reference.py_func(place, table) == (20 + 30) + (30 + 30) + (40 ^ 30) + (9 & 7) + (30 & 7)


def test_one_scene_end_to_end(capsys):
    kernel_work.main("0", "strategies.surges.kernels.step")
    assert '"strategies.surges.kernels.step":' in capsys.readouterr().out
