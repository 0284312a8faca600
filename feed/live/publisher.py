"""From the policy of the moment to a bundle that may be published, on one screen: compose, check, sign."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feed.bundle.bundle import Bundle
from feed.bundle.compose import Composer, PolicyContent
from feed.bundle.documents import GuardsDocument
from feed.bundle.manifest import make_bundle, sealed
from feed.bundle.parsed import KnownDocuments, Parsed, parse
from feed.bundle.restore import restored
from feed.check.check import check_policy
from feed.check.findings import PolicyFindings
from feed.check.loads import Loads
from feed.check.setting import CheckSetting
from feed.clock import utc_of
from feed.live.publication import PublicationSetting
from feed.signing.signer import Signer
from router_core.platform import Platform
from router_core.units import SECOND_NS


@dataclass(frozen=True, eq=False)
class Publication:
    """What came of an attempt.

    Attributes
    ----------
    bundle : Bundle or None
        Signed; None if the check refused it.
    parsed : Parsed
        What it says, refused or not.
    findings : PolicyFindings
    """

    bundle: Bundle | None
    parsed: Parsed
    findings: PolicyFindings


class Publisher:
    """Makes bundles of one platform's policies.

    Parameters
    ----------
    platform : Platform
    signers : sequence of Signer
        All of them sign.
    guards : GuardsDocument
    loads : Loads or None
        Forecast that capacity is checked with; None: it is not.
    inputs : dict of str to str
        Digests of what the policies come from.
    provenance : dict of str to str
    setting : PublicationSetting
    checks : CheckSetting
    """

    def __init__(
        self,
        platform: Platform,
        signers: Sequence[Signer],
        guards: GuardsDocument,
        loads: Loads | None,
        *,
        inputs: dict[str, str],
        provenance: dict[str, str],
        setting: PublicationSetting,
        checks: CheckSetting,
    ) -> None:
        self._platform = platform
        self._signers = tuple(signers)
        self._guards = guards
        self._loads = loads
        self._inputs = inputs
        self._provenance = provenance
        self._setting = setting
        self._checks = checks
        self._composer = Composer(platform.network)
        self._documents = KnownDocuments()

    def publication(
        self, content: PolicyContent, *, epoch: int, now_ns: int, reason: str, active: Parsed | None
    ) -> Publication:
        """Make the bundle of a policy, check it, and sign it if nothing speaks against it.

        Parameters
        ----------
        content : PolicyContent
        epoch : int
            Greater than that of any bundle published before.
        now_ns : int
            Since 1970 [ns].
        reason : str
            Why it is published, for its provenance.
        active : Parsed or None
            Policy in force, that the change is measured against.
        """
        with _uncollected():
            return self._made(content, epoch, now_ns, reason, active)

    def _made(self, content: PolicyContent, epoch: int, now_ns: int, reason: str, active: Parsed | None) -> Publication:
        files = self._composer.compose(content, self._guards, valid_from=_second(now_ns))
        bundle = make_bundle(
            files,
            **self._validity(epoch, now_ns),
            topology=self._platform.network.digest,
            scenario=self._platform.name,
            inputs=self._inputs,
            provenance=self._provenance | {"reason": reason},
            known=self._composer.entries,
        )
        parsed = parse(bundle, self._documents)
        findings = check_policy(
            self._platform.network,
            self._platform.catalogue,
            parsed,
            forecast=self._loads,
            active=active,
            setting=self._checks,
        )
        return Publication(None if findings.refused else sealed(bundle, self._signers), parsed, findings)

    def restored(self, old: Bundle, *, epoch: int, now_ns: int) -> Bundle:
        """Return a signed bundle of an old one's very files, that agents take as a new one.

        It was checked when it was published first; that it may be so again is the operator's decision.
        """
        bundle = restored(old, **self._validity(epoch, now_ns))
        return sealed(bundle, self._signers)

    def _validity(self, epoch: int, now_ns: int) -> dict[str, Any]:
        return {
            "epoch": epoch,
            "created": _second(now_ns),
            "valid_from": _second(now_ns),
            "soft_expiry": _second(now_ns + self._setting.soft_ns),
            "hard_expiry": _second(now_ns + self._setting.hard_ns),
        }


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: the documents of a province are a million objects, none of them in a circle.

    Measured: looking through them again and again is a fifth of a first publication.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _second(instant_ns: int) -> datetime:
    return utc_of(instant_ns // SECOND_NS * SECOND_NS)
