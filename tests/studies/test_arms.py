"""Arms as a command line asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_core.errors import BadInputError
from sim.brain_setting import setting_of, write_setting
from sim.studies.comparison.arms import LABEL_MAX, Shared, arms_of

NOTHING = Shared()


def test_brains_then_arms_and_what_all_share(tmp_path: Path) -> None:
    week, other, faults = tmp_path / "week.brain", tmp_path / "other.brain", tmp_path / "cut.toml"
    for path in (week, other, faults):
        path.write_bytes(b"")
    setting = tmp_path / "winner.toml"
    write_setting(setting, setting_of({"busy": 0.7}))
    arms = arms_of(
        ["ecmp", "static"],
        [
            f'brain=dynamic prepared={other} setting={setting} change="demand x1.2" change="lines x2"',
            f"brain=dynamic label=own faults={faults}",
        ],
        Shared(prepared=week, changes=("pools x0",)),
    )
    assert [arm.label for arm in arms] == ["ecmp", "static", "dynamic (winner, demand x1.2, lines x2)", "own"]
    assert [arm.brain.prepared for arm in arms] == [None, week, other, week]
    assert [arm.changes for arm in arms] == [("pools x0",)] * 2 + [("pools x0", "demand x1.2", "lines x2")] + [
        ("pools x0",)
    ]
    assert [arm.faults for arm in arms] == [None, None, None, faults]
    assert arms[2].brain.setting.busy == 0.7
    assert arms[3].brain.setting.busy != 0.7
    # The slowest go to the workers first.
    assert arms[2].weight < arms[1].weight < arms[0].weight


@pytest.mark.parametrize(
    ("brains", "texts", "said"),
    [
        ([], [], "at least two arms"),
        (["ecmp"], [], "at least two arms"),
        (["ecmp", "ecmp"], [], "no two arms may be the same"),
        (["ecmp", "clever"], [], "must be one of"),
        (["ecmp", "static"], [], "--prepared"),
        (["ecmp"], ["brain=shortest-path label=ecmp"], "own label"),
        (["ecmp"], ["change=x"], "brain=NAME"),
        (["ecmp"], ["brain=ecmp colour=red"], "KEY one of"),
        (["ecmp"], ["brain=ecmp label="], "KEY=VALUE"),
        (["ecmp"], ["ecmp"], "KEY=VALUE"),
        (["ecmp"], ['brain=ecmp label="x'], "shell"),
        (["ecmp"], ["brain=ecmp brain=static"], "only change may be repeated"),
        (["ecmp"], ["brain=ecmp prepared=f label=x"], "prepared goes with"),
        (["ecmp"], ["brain=ecmp setting=f label=x"], "--setting"),
        (["ecmp"], ["brain=static prepared=/nowhere.brain"], "/nowhere.brain"),
        (["ecmp"], [f"brain=shortest-path label={'x' * (LABEL_MAX + 1)}"], "printable"),
        (["ecmp"], ["brain=shortest-path label='a\nb'"], "printable"),
    ],
)
def test_what_cannot_be_an_arm(brains: list[str], texts: list[str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        arms_of(brains, texts, NOTHING)


def test_files_for_nobody() -> None:
    for shared, place in ((Shared(prepared=Path("f")), "--prepared"), (Shared(setting=Path("f")), "--setting")):
        with pytest.raises(BadInputError, match=place):
            arms_of(["ecmp", "shortest-path"], [], shared)
