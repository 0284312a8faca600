"""What a package must pass before it takes effect, in a fixed order; the first rule that it breaks is the one told.

Size, signature, files as signed, epoch, validity, topology, schema, scope, guards, pin. Nothing here remembers or
changes anything: equal bytes, equal knowledge and an equal time give an equal verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feed.agent.agent_policy import AgentPolicy
from feed.agent.expiry import SKEW_NS, Layer, layer_at
from feed.agent.guards import check_guards
from feed.agent.meaning import check_meaning, check_scope
from feed.agent.state import Seen
from feed.bundle.archive import Limits, check_files, opened
from feed.bundle.bundle import Bundle
from feed.bundle.documents import Manifest
from feed.bundle.manifest import check_signature, etag_of
from feed.bundle.parsed import KnownDocuments, parse
from feed.clock import instant_of, utc_of
from feed.refusals import Refusal, RefusedBundleError
from feed.signing.trust import Trust
from router_core.errors import BadInputError
from router_core.network import Network

# Documents as they were read last. Most publications change few of them, and a small machine reads those alone; where
# many agents share a process, endpoints of one group read theirs once.
_KNOWN: Final = KnownDocuments()
_READING: Final = Lock()


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What an agent knows when it checks a package.

    Attributes
    ----------
    now_ns : int
        [ns since 1970].
    seen : Seen
        The highest epoch that it ever accepted.
    in_force : AgentPolicy or None
    layer : Layer
        Which layer of that holds.
    pinned : int or None
        Epoch that nothing may follow.
    down : bool (S,), optional
        Stations known to be down.
    """

    now_ns: int
    seen: Seen = field(default_factory=Seen)
    in_force: AgentPolicy | None = None
    layer: Layer = Layer.DYNAMIC
    pinned: int | None = None
    down: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Checked:
    """A package that passed.

    Attributes
    ----------
    bundle : Bundle
    etag : str
    policy : AgentPolicy
    """

    bundle: Bundle
    etag: str
    policy: AgentPolicy


class PackageChecks:
    """Checks packages for one endpoint.

    Parameters
    ----------
    network : Network
    scope : str
        Name of the endpoint.
    trust : Trust
        Whose signatures count.
    limits : Limits, optional

    Raises
    ------
    BadInputError
        If the network has no such endpoint.
    """

    def __init__(self, network: Network, scope: str, trust: Trust, limits: Limits | None = None) -> None:
        node = network.node_index.get(scope)
        if node is None or not network.is_endpoint[node]:
            raise BadInputError("scope", "must be the name of an endpoint of the scenario", scope)
        self.network = network
        self.scope = scope
        self.trust = trust
        self.limits = limits or Limits()

    def check(self, data: bytes, known: Knowledge) -> Checked:
        """Return the policy that a package holds.

        Raises
        ------
        RefusedBundleError
            With the first rule that it breaks.
        """
        bundle = opened(data, self.limits)
        check_signature(bundle, self.trust, utc_of(known.now_ns))
        check_files(bundle, package=True)
        etag = etag_of(bundle)
        check_epoch(bundle.manifest.epoch, etag, known.seen)
        check_validity(bundle.manifest, known.now_ns)
        if bundle.manifest.topology != self.network.digest:
            detail = f"manifest.json: topology must be {self.network.digest[:16]}..., of the scenario in use here"
            raise RefusedBundleError(Refusal.WRONG_TOPOLOGY, f"{detail}, not {bundle.manifest.topology[:16]}...")
        policy = self._understood(bundle)
        self._guarded(policy, known)
        if known.pinned is not None and bundle.manifest.epoch != known.pinned:
            detail = f"epoch {bundle.manifest.epoch}: must be {known.pinned}, the one that is pinned here"
            raise RefusedBundleError(Refusal.PINNED, detail)
        return Checked(bundle, etag, policy)

    def reopened(self, data: bytes) -> Checked:
        """Return the policy of a package that was accepted earlier.

        Only what a disk or a new scenario may have spoilt since is looked at.

        Raises
        ------
        RefusedBundleError
            As `check`; not for what was true when it was accepted and may have changed since.
        """
        bundle = opened(data, self.limits)
        check_files(bundle, package=True)
        if bundle.manifest.topology != self.network.digest:
            detail = "manifest.json: topology must be that of the scenario in use here"
            raise RefusedBundleError(Refusal.WRONG_TOPOLOGY, detail)
        return Checked(bundle, etag_of(bundle), self._understood(bundle))

    def _understood(self, bundle: Bundle) -> AgentPolicy:
        with _READING:
            parsed = parse(bundle, _KNOWN)
        group = check_scope(self.network, parsed, bundle.files.keys(), self.scope)
        check_meaning(self.network, parsed, group)
        return AgentPolicy(self.network, parsed, self.scope)

    def _guarded(self, policy: AgentPolicy, known: Knowledge) -> None:
        old = known.in_force
        # Whatever follows a policy that has lapsed is better than that one: it is not held against it.
        before = None
        if old is not None and known.layer != Layer.LAPSED:
            before = old.plan(old.slot_at(known.now_ns), known.layer == Layer.DYNAMIC)
        layer = layer_at(known.now_ns, policy.soft_ns, policy.hard_ns)
        after = policy.plan(policy.slot_at(known.now_ns), layer == Layer.DYNAMIC)
        missed = policy.parsed.manifest.epoch - (old.parsed.manifest.epoch if old else 0)
        check_guards(policy, before, missed, after, known.down)


def check_epoch(epoch: int, etag: str, seen: Seen) -> None:
    """Refuse what is older than what was accepted once, or claims its epoch with another content.

    Raises
    ------
    RefusedBundleError
        EPOCH_ROLLED_BACK, REPLAYED.
    """
    if epoch < seen.epoch:
        detail = f"epoch {epoch}: must be at least {seen.epoch}, the highest accepted here"
        raise RefusedBundleError(Refusal.EPOCH_ROLLED_BACK, detail)
    if epoch == seen.epoch and etag != seen.etag:
        detail = f"epoch {epoch}: must be the content accepted here, {seen.etag}, not {etag}"
        raise RefusedBundleError(Refusal.REPLAYED, detail)


def check_validity(manifest: Manifest, now_ns: int) -> None:
    """Refuse what does not hold yet, by more than clocks may differ, or no longer.

    Raises
    ------
    RefusedBundleError
        NOT_YET_VALID, EXPIRED.
    """
    if now_ns < instant_of(manifest.valid_from) - SKEW_NS:
        detail = f"valid_from {manifest.valid_from.isoformat()}: must have come, it is {utc_of(now_ns).isoformat()}"
        raise RefusedBundleError(Refusal.NOT_YET_VALID, detail)
    if now_ns >= instant_of(manifest.hard_expiry):
        detail = f"hard_expiry {manifest.hard_expiry.isoformat()}: must be to come, it is {utc_of(now_ns).isoformat()}"
        raise RefusedBundleError(Refusal.EXPIRED, detail)
