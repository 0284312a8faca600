"""The arms of a comparison: a brain with its files, on a scenario with its changes, under its faults."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router_core.errors import BadInputError
from sim.brain_setting import stated
from sim.studies.case import BrainChoice
from strategies.registry import BRAINS, PREPARED_BRAINS, SET_BRAINS

PLACE: Final = "--arm"
KEYS: Final = ("brain", "prepared", "setting", "change", "faults", "label")
LABEL_MAX: Final = 60
# What takes longer goes to the workers first, so that none is left alone with it at the end.
_SLOWEST_FIRST: Final = (*SET_BRAINS, *PREPARED_BRAINS, *BRAINS)


@dataclass(frozen=True)
class Arm:
    """What is compared.

    Attributes
    ----------
    label : str
        Its name in results; no other arm has it.
    brain : BrainChoice
    changes : tuple of str
        Of the scenario.
    faults : Path or None
    """

    label: str
    brain: BrainChoice
    changes: tuple[str, ...] = ()
    faults: Path | None = None

    @property
    def weight(self) -> int:
        """Place among arms by how long they are likely to take, the longest first."""
        return _SLOWEST_FIRST.index(self.brain.name)


@dataclass(frozen=True)
class Shared:
    """What options say of all arms; an arm's own words go first."""

    prepared: Path | None = None
    setting: Path | None = None
    changes: tuple[str, ...] = ()
    faults: Path | None = None


def arms_of(brains: Sequence[str], texts: Sequence[str], shared: Shared) -> tuple[Arm, ...]:
    """Return the arms that a command line asks for: its brains by name, then its arms by text; the first is the base.

    Parameters
    ----------
    brains : sequence of str
        Names of brains.
    texts : sequence of str
        Such as ``brain=dynamic setting=winner.toml change="demand x1.2" label=tuned``.
    shared : Shared

    Raises
    ------
    BadInputError
        If there are fewer than two, two are the same or have one label, one cannot be, or a shared file is for none.
    """
    words = [{"brain": [name]} for name in brains] + [_words(text) for text in texts]
    if len(words) < 2:
        raise BadInputError(
            "--brain", "a comparison has at least two arms: --brain or --arm, the first is the base", len(words)
        )
    named = [one["brain"][0] for one in words]
    for place, value, users in (
        ("--prepared", shared.prepared, PREPARED_BRAINS),
        ("--setting", shared.setting, SET_BRAINS),
    ):
        if value is not None and not any(name in users for name in named):
            raise BadInputError(place, f"must go with a brain that uses it, one of {', '.join(users)}", str(value))
    arms = tuple(_arm(one, shared) for one in words)
    for arm, count in Counter((arm.brain, arm.changes, arm.faults) for arm in arms).items():
        if count > 1:
            raise BadInputError(PLACE, "no two arms may be the same", arm[0].name)
    labels = Counter(arm.label for arm in arms)
    for label, count in labels.items():
        if count > 1:
            raise BadInputError(PLACE, "each arm must have its own label: label=NAME", label)
    return arms


def _words(text: str) -> dict[str, list[str]]:
    """Take an arm's text apart."""
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise BadInputError(PLACE, f"must be words KEY=VALUE as a shell reads them ({error})", text) from None
    words: dict[str, list[str]] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not value or key not in KEYS:
            raise BadInputError(PLACE, f"must be words KEY=VALUE, KEY one of {', '.join(KEYS)}", part)
        words.setdefault(key, []).append(value)
    for key, values in words.items():
        if len(values) > 1 and key != "change":
            raise BadInputError(PLACE, f"only change may be repeated, not {key}", text)
    if "brain" not in words:
        raise BadInputError(PLACE, "must name its brain: brain=NAME", text)
    return words


def _arm(words: dict[str, list[str]], shared: Shared) -> Arm:
    name = words["brain"][0]
    own = {key: words[key][0] if key in words else None for key in KEYS}
    if own["prepared"] is not None and name in BRAINS:
        raise BadInputError(PLACE, f"prepared goes with one of {', '.join(PREPARED_BRAINS)}", name)
    prepared = Path(own["prepared"]) if own["prepared"] else shared.prepared
    setting = Path(own["setting"]) if own["setting"] else shared.setting if name in SET_BRAINS else None
    faults = Path(own["faults"]) if own["faults"] else shared.faults
    brain = BrainChoice.of_files(name, prepared, setting)
    if brain.prepared is not None and not brain.prepared.is_file():
        raise BadInputError("file", "must be a brain file of `brain fit`", str(brain.prepared), str(brain.prepared))
    # What all arms share tells none from another.
    own_words = [Path(own["setting"]).stem if own["setting"] else "", *words.get("change", ())]
    own_words.append(Path(own["faults"]).stem if own["faults"] else "")
    told = ", ".join(word for word in own_words if word)
    label = own["label"] or (f"{name} ({told})" if told else name)
    if len(label) > LABEL_MAX or not label.isprintable():
        raise BadInputError(PLACE, f"a label must be printable, at most {LABEL_MAX} characters", label)
    return Arm(label, brain, (*shared.changes, *words.get("change", ())), faults)


def setting_of(arm: Arm) -> dict[str, float] | None:
    """Return the parameters that an arm's brain goes by, or None if it has none."""
    return stated(arm.brain.setting) if arm.brain.name in SET_BRAINS else None
