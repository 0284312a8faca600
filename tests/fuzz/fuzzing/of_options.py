"""Targets: texts of the command line that are more than a word: instants, addresses, rules, signers."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache

import httpx

from exchange_router import brain_work, evaluate_command, grow_command, policy_explain, study_options, trace_command
from exchange_router.bundle_files import expiries, moment_of
from feed.agent.http_link import HttpLink
from feed.check.setting import rules_named
from feed.server.running import address_of, is_loopback
from feed.signing.signer_specs import signer_from
from fuzzing.of_scenarios import toy
from fuzzing.target import Target, hold
from fuzzing.texts import changed_lines
from router_core.calendar import LOCAL_TIME
from router_core.errors import BadInputError
from router_core.units import HOUR_NS
from sim.studies.survival.window import Span, moment_ns
from traces.schema import TraceInfo, trace_info


@cache
def _info() -> TraceInfo:
    return trace_info(toy(), start=datetime(2026, 3, 17, tzinfo=LOCAL_TIME), span_ns=24 * HOUR_NS)


def _server(text: str) -> object:
    link = HttpLink(text, transport=httpx.MockTransport(lambda request: httpx.Response(404)))
    link.close()
    return link


_READERS = {
    "moment": lambda text: expiries(moment_of(text, "--at"), 1.0, 14.0),
    "listen": lambda text: is_loopback(address_of(text)[0]),
    "server": _server,
    "allow": lambda text: rules_named(text.split()),
    "at": lambda text: moment_ns(text, _info(), Span(HOUR_NS, HOUR_NS, HOUR_NS)),
    "explain": policy_explain._moment,
    "start": trace_command._moment,
    "begin": brain_work._date,
    "growth": grow_command._date,
    "evaluate": lambda text: evaluate_command._moment("--start", text),
    "study": lambda text: study_options.traffic(None, text, 1.0, None, 1.0, None),
    # Not the forms that look for other packages and import them, as they are told to.
    "signer": lambda text: None if text.startswith(("module:", "entry:")) else signer_from(text),
}


def _option(data: bytes) -> object:
    """The name of an option, a blank, and what a user typed, as the system hands it over."""
    name, _, text = data.decode("utf-8", "surrogateescape").partition(" ")
    reader = _READERS.get(name)
    if reader is None:
        raise BadInputError("option", "must be one of those that are fuzzed", name)
    found = reader(text.replace("\0", ""))
    hold("an instant is one", not isinstance(found, timedelta))
    return found


def _option_seeds() -> list[bytes]:
    return [
        b"moment 2026-03-17T10:00",
        b"moment 2026-03-17T02:00Z",
        b"listen 127.0.0.1:8443",
        b"listen [::1]:80",
        b"server https://centre:8443",
        b"server http://[::1]:80/a",
        b"allow moved",
        b"at 10:00",
        b"at 2026-03-17T10:00",
        b"explain 2026-03-17T10:05",
        b"start 2026-03-17",
        b"begin 2026-03-17",
        b"growth 2026-01-01",
        b"evaluate 2026-03-17T10:00+08:00",
        b"study 2026-03-17T00:00",
        b"signer entry:name:argument",
        b"signer file:/nonexistent",
    ]


TARGETS = (
    Target("options", "texts of the command line, `exchange_router`", _option, _option_seeds, changed_lines, cost=0.1),
)
