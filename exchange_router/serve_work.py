"""The work of `serve`: its options checked, the service made, and the server run until it is told to stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import scenarios
from exchange_router import console
from feed.bundle.archive import pack
from feed.clock import Clock, SystemClock
from feed.server.auth import Authority, CertificateAuthority, LoopbackAuthority, TokenAuthority, read_tokens
from feed.server.logs import to_stderr
from feed.server.running import Tls, address_of, is_loopback, make_server
from feed.server.service import FeedService
from feed.signing.trust import Trust, read_trust
from router_core.errors import BadInputError
from router_core.network import Network

if TYPE_CHECKING:
    from exchange_router.serve_centre import Centre, CentreParts


@dataclass(frozen=True)
class Serving:
    """Options of `serve`, as the command names them."""

    state: Path
    trust: Path
    scenario: str
    listen: str
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    tokens: Path | None = None
    insecure_loopback: bool = False
    bundle: Path | None = None
    centre: Centre | None = None


def serve(options: Serving) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises
    ------
    BadInputError
        If an option or a file cannot be used.
    RefusedBundleError
        If the bundle to publish is refused.
    """
    host, port = address_of(options.listen)
    tls = _tls(options.tls_cert, options.tls_key, options.client_ca)
    authority = authority_of(host, tls, options.tokens, insecure_loopback=options.insecure_loopback)
    trust = read_trust(options.trust)
    to_stderr()
    network = scenarios.load(options.scenario).network
    clock = SystemClock()
    if isinstance(authority, TokenAuthority):
        authority.check_scopes({network.node_name[node] for node in network.endpoints.tolist()}, str(options.tokens))
    centre = None if options.centre is None else _centre(options.centre, options.scenario, network, clock, trust)
    service = FeedService(
        options.state,
        network,
        trust,
        clock,
        sink=None if centre is None else centre.windows,
        republisher=None if centre is None or options.centre is None or options.centre.shadow else centre,
    )
    try:
        if options.bundle is not None:
            service.publish_bytes(options.bundle.read_bytes())
        said = console.text(f"serving on {options.listen}", f"监听 {options.listen}")
        server = make_server(service, authority, host, port, tls, on_start=lambda: console.say(said))
        if centre is None:
            server.run()
        else:
            newest = service.newest()
            centre.run(
                server,
                service,
                service.metrics,
                None if newest is None else pack(newest),
                paused=newest is not None and newest.manifest.restores is not None,
            )
    finally:
        service.close()


def _centre(options: Centre, scenario: str, network: Network, clock: Clock, trust: Trust) -> CentreParts:
    from exchange_router.serve_centre import CentreParts  # noqa: PLC0415 - brains, which a server alone does without

    return CentreParts(options, scenario, network, clock, trust)


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise BadInputError("--tls-cert", "must go with --tls-key, and --client-ca with both", str(certificate))
    return Tls(certificate, key, client_ca)


def authority_of(host: str, tls: Tls | None, tokens: Path | None, *, insecure_loopback: bool) -> Authority:
    """Return who is believed; exactly one way of telling it must be chosen."""
    by_certificate = tls is not None and tls.client_ca is not None
    if [by_certificate, tokens is not None, insecure_loopback].count(True) != 1:
        rule = "exactly one of --client-ca (with --tls-cert, --tls-key), --tokens and --insecure-loopback must be given"
        raise BadInputError("credentials", rule, "none or several")
    if insecure_loopback:
        if not is_loopback(host):
            raise BadInputError("--listen", "must be a loopback address with --insecure-loopback", host)
        return LoopbackAuthority()
    if tokens is None:
        return CertificateAuthority()
    if tls is None and not is_loopback(host):
        raise BadInputError("--tokens", "must go with --tls-cert beyond this machine: tokens travel in the clear", host)
    return TokenAuthority(read_tokens(tokens))
