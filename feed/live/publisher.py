"""From the policy of the moment to a bundle that may be published, on one screen: compose, check, sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feed.bundle.bundle import Bundle
from feed.bundle.compose import Composer, PolicyContent
from feed.bundle.documents import GuardsDocument
from feed.bundle.manifest import make_bundle, sealed
from feed.bundle.parsed import Parsed, parse
from feed.check.check import CheckSetting, check_policy
from feed.check.findings import PolicyFindings
from feed.check.loads import Loads
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
    findings : PolicyFindings
    """

    bundle: Bundle | None
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
        now = utc_of(now_ns // SECOND_NS * SECOND_NS)
        bundle = make_bundle(
            self._composer.compose(content, self._guards, valid_from=now),
            epoch=epoch,
            created=now,
            valid_from=now,
            soft_expiry=utc_of(now_ns + self._setting.soft_ns),
            hard_expiry=utc_of(now_ns + self._setting.hard_ns),
            topology=self._platform.network.digest,
            scenario=self._platform.name,
            inputs=self._inputs,
            provenance=self._provenance | {"reason": reason},
            known=self._composer.entries,
        )
        findings = check_policy(
            self._platform.network,
            self._platform.catalogue,
            parse(bundle),
            forecast=self._loads,
            active=active,
            setting=self._checks,
        )
        return Publication(None if findings.refused else sealed(bundle, self._signers), findings)
