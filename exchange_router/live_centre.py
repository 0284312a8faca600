"""How the live centre is made: here, or in a process of its own, from names and files alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import scenarios
from exchange_router import provenance
from feed.bundle.archive import unpack
from feed.bundle.documents import GuardsDocument
from feed.check.loads import loads_of
from feed.check.setting import CheckSetting
from feed.clock import SystemClock, local_of, utc_of
from feed.live.centre import LiveCentre
from feed.live.publication import PublicationSetting
from feed.live.publisher import Publisher
from feed.live.recording import Recorder
from feed.live.work import CentreWork
from feed.signing.signer import Signer
from feed.signing.signer_specs import signer_from
from feed.signing.trust import parse_trust
from router_core.errors import BadInputError
from router_core.platform import Platform
from sim.brain_file import read_brain
from sim.brain_setting import read_setting
from strategies.dynamic.setting import DynamicSetting
from strategies.registry import Preparation, make_brain
from strategies.static.prepare import Prepared

# Those whose policies a bundle can say, and that need no particles.
BRAINS: Final = ("static", "dynamic")


@dataclass(frozen=True)
class CentreSpec:
    """What a centre is made of; plain values, so that another process can be told.

    Attributes
    ----------
    scenario : str
    prepared : Path
        Brain file of `brain fit`.
    brain : str
        One of `BRAINS`.
    setting : Path or None
        Setting file of the dynamic policy; None: its defaults.
    start_ns : int
        Instant 0 of the run, since 1970 [ns].
    keys : tuple of str
        Where signers are; none: nothing is published.
    guards : GuardsDocument
    records : Path or None
        Folder for recordings; None: nothing is recorded.
    publication : PublicationSetting
    checks : CheckSetting
    active : bytes or None
        Packed bundle that agents have now.
    trust : bytes or None
        Trust file by which the signatures of `keys` must count; None: that is not looked at.
    """

    scenario: str
    prepared: Path
    brain: str
    start_ns: int
    keys: tuple[str, ...]
    guards: GuardsDocument
    setting: Path | None = None
    records: Path | None = None
    publication: PublicationSetting = field(default_factory=PublicationSetting)
    checks: CheckSetting = field(default_factory=CheckSetting)
    active: bytes | None = None
    trust: bytes | None = None

    def work(self) -> CentreWork:
        """Make the centre.

        Raises
        ------
        BadInputError
            If the scenario, the brain file, a key or the recording is none that can be used.
        """
        platform = scenarios.load(self.scenario)
        return centre_work(self, platform, read_brain(self.prepared, platform).prepared, _inputs(self, platform))


def centre_work(spec: CentreSpec, platform: Platform, prepared: Prepared, inputs: dict[str, str]) -> CentreWork:
    """Make the centre of what is loaded already; `inputs` are digests of what it comes from."""
    if spec.brain not in BRAINS:
        raise BadInputError("--brain", f"must be one of {', '.join(BRAINS)}", spec.brain)
    start = local_of(spec.start_ns)
    setting = DynamicSetting() if spec.setting is None else read_setting(spec.setting)
    brain = make_brain(spec.brain, platform.network, Preparation(prepared, start, platform.transport, setting))
    made = {key: str(value) for key, value in provenance.made_by("exchange-router serve").items()} | {
        "brain": spec.brain
    }
    recorder = None
    if spec.records is not None:
        header = {
            "made": made,
            "inputs": inputs,
            "scenario": spec.scenario,
            "brain": spec.brain,
            "start": start.isoformat(),
        }
        recorder = Recorder(_recording(spec.records, spec.start_ns), header)
    publisher = None
    if spec.keys:
        publisher = Publisher(
            platform,
            centre_signers(spec),
            spec.guards,
            loads_of(platform.network, prepared),
            inputs=inputs,
            provenance=made,
            setting=spec.publication,
            checks=spec.checks,
        )
    active = None if spec.active is None else unpack(spec.active)
    centre = LiveCentre(platform.network, brain, prepared, spec.start_ns, recorder)
    return CentreWork(centre, spec.start_ns, publisher, spec.publication, active)


def centre_signers(spec: CentreSpec) -> list[Signer]:
    """Open the keys; too few that count would have every policy refused, one after another."""
    signers = [signer_from(key) for key in spec.keys]
    if spec.trust is not None:
        trust, at = parse_trust(spec.trust), utc_of(SystemClock().now_ns())
        counted = {one.key_id for one in signers if trust.flaw(one.key_id, at) is None}
        if len(counted) < trust.threshold:
            rule = f"must name {trust.threshold} keys that the trust file counts"
            raise BadInputError("--key", rule, f"{len(counted)} of {len(signers)}")
    return signers


def _inputs(spec: CentreSpec, platform: Platform) -> dict[str, str]:
    files = {"brain-file": spec.prepared} | ({} if spec.setting is None else {"setting": spec.setting})
    return {"scenario": platform.digest} | {name: provenance.file_digest(path) for name, path in files.items()}


def _recording(folder: Path, start_ns: int) -> Path:
    """A new name: a centre that was made anew begins another recording."""
    stem = utc_of(start_ns).strftime("%Y%m%dT%H%M%SZ")
    taken = len(list(folder.glob(f"{stem}*.rec"))) if folder.is_dir() else 0
    return folder / (f"{stem}.rec" if not taken else f"{stem}-{taken + 1}.rec")
