"""One run of a study, from names and files alone, so that any process can live it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import scenarios
from router_core.errors import BadInputError
from router_core.platform import Platform
from sim.brain_setting import read_setting
from sim.churn import PAIRS
from sim.faults import Fault
from sim.replay import DEFAULT_DATA_PLANE, Lived, live
from sim.world import WorldConfig
from strategies.brain import Brain
from strategies.dynamic.setting import DynamicSetting
from strategies.registry import BRAINS, PREPARED_BRAINS, SET_BRAINS, Preparation, make_brain
from strategies.static.prepare import Prepared
from traces.reader import TraceReader

# A worker lives many cases of few platforms and brains; a brain file of a province takes a second to read.
KEPT: Final = 4
# Studies judge churn too.
WORLD: Final = WorldConfig(churn_pairs=PAIRS)


@dataclass(frozen=True)
class BrainChoice:
    """Which brain, and what it goes by.

    Attributes
    ----------
    name : str
        A key of `BRAINS` or `PREPARED_BRAINS`.
    prepared : Path or None
        Brain file of `brain fit`, for those that need one.
    setting : DynamicSetting
        For those that answer what happens.
    """

    name: str
    prepared: Path | None = None
    setting: DynamicSetting = field(default_factory=DynamicSetting)

    @classmethod
    def of_files(cls, name: str, prepared: Path | None, setting: Path | None) -> BrainChoice:
        """Choose by name and files, as command lines do.

        Raises
        ------
        BadInputError
            If there is no such brain, it lacks its file, or a file is given that it does not use.
        """
        if name not in (*BRAINS, *PREPARED_BRAINS):
            raise BadInputError("--brain", f"must be one of {', '.join((*BRAINS, *PREPARED_BRAINS))}", name)
        if name in PREPARED_BRAINS and prepared is None:
            raise BadInputError("--brain", "needs --prepared with a file of `brain fit`", name)
        if setting is not None and name not in SET_BRAINS:
            raise BadInputError("--setting", f"must go with one of {', '.join(SET_BRAINS)}", name)
        parameters = DynamicSetting() if setting is None else read_setting(setting)
        return cls(name, prepared if name in PREPARED_BRAINS else None, parameters)


@dataclass(frozen=True)
class Case:
    """A trace, a brain, a platform, a seed.

    Attributes
    ----------
    scenario : str
        Name or file.
    trace : Path
        A trace that fits the platform; it was checked before, once.
    brain : BrainChoice
    seed : int
        Of the world's own streams: other users, telemetry. Equal seeds are common random numbers: two brains meet the
        same other users and the same noise.
    changes : tuple of str
        Changes of the scenario (`scenarios.load`).
    config : WorldConfig
    faults : tuple of Fault
    data_plane : str
    """

    scenario: str
    trace: Path
    brain: BrainChoice
    seed: int
    changes: tuple[str, ...] = ()
    config: WorldConfig = WORLD
    faults: tuple[Fault, ...] = ()
    data_plane: str = DEFAULT_DATA_PLANE


@lru_cache(maxsize=KEPT)
def platform_of(scenario: str, changes: tuple[str, ...] = ()) -> Platform:
    """Return a scenario's platform, made once a process."""
    return scenarios.load(scenario, changes) if changes else scenarios.load(scenario)


@lru_cache(maxsize=KEPT)
def _prepared_of(path: Path, scenario: str, changes: tuple[str, ...]) -> Prepared:
    from sim.brain_file import read_brain  # noqa: PLC0415 - it loads estimators that baselines do without

    return read_brain(path, platform_of(scenario, changes)).prepared


def check_brain(brain: BrainChoice, scenario: str, changes: tuple[str, ...] = ()) -> None:
    """Raise `BadInputError` if a brain's file cannot be read or does not fit, before minutes are spent."""
    if brain.prepared is not None:
        _prepared_of(brain.prepared, scenario, changes)


def brain_of(case: Case) -> Brain:
    """Return a new brain for a case; raises `BadInputError` as reading its file and making it do."""
    platform = platform_of(case.scenario, case.changes)
    if case.brain.prepared is None:
        return make_brain(case.brain.name, platform.network)
    with TraceReader(case.trace) as reader:
        start = reader.info.start.replace(tzinfo=None)
    prepared = _prepared_of(case.brain.prepared, case.scenario, case.changes)
    preparation = Preparation(prepared, start, platform.transport, case.brain.setting)
    return make_brain(case.brain.name, platform.network, preparation)


def live_case(case: Case, on_progress: Callable[[float], None] | None = None) -> Lived:
    """Live one case; parameters and errors are those of `sim.replay.live`."""
    return live(
        platform_of(case.scenario, case.changes),
        case.trace,
        brain_of(case),
        seed=case.seed,
        data_plane=case.data_plane,
        config=case.config,
        faults=case.faults,
        on_progress=on_progress,
    )
