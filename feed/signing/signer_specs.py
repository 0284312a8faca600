"""Where a signer is: a key file, or a module of the site's own that speaks to the hardware which holds the key.

A hardware module (PKCS #11 token, server password machine 服务器密码机) is any object with the `Signer` protocol. Its
maker writes a function of one text argument (a slot, a label; empty if none was given) that returns such an object,
and names it, either as an entry point of the group `ENTRY_POINTS` or by module and function. PINs come from wherever
the function gets them, never from the specification: command lines are seen by everybody on the machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from feed.signing.key_files import read_signer
from feed.signing.signer import ALGORITHMS, Signer
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError, ExchangeRouterError

ENTRY_POINTS: Final = "exchange_router.signers"
FORMS: Final = "file:PATH, entry:NAME[:ARGUMENT] or module:PACKAGE.MODULE:FUNCTION[:ARGUMENT]"
_MODULE: Final = re.compile(r"module:([A-Za-z_][\w.]*):([A-Za-z_]\w*)(?::(.*))?", re.DOTALL)
_ENTRY: Final = re.compile(r"entry:([A-Za-z0-9_.-]+)(?::(.*))?", re.DOTALL)


def signer_from(spec: str) -> Signer:
    """Return the signer that a specification names.

    Parameters
    ----------
    spec : str
        ``file:PATH``, ``entry:NAME[:ARGUMENT]`` or ``module:PACKAGE.MODULE:FUNCTION[:ARGUMENT]``.

    Raises
    ------
    BadInputError
        If it names none, the file is refused (`read_signer`), or what the module gives is no signer. What a module
        says of its failure is left out, as it may hold a PIN; its class is told.
    """
    if spec.startswith("file:"):
        return read_signer(Path(spec.removeprefix("file:")))
    if found := _MODULE.fullmatch(spec):
        module, function, argument = found.groups(default="")
        return _opened(f"signer module:{module}:{function}", lambda: _function(module, function), argument)
    if found := _ENTRY.fullmatch(spec):
        name, argument = found.groups(default="")
        return _opened(f"signer entry:{name}", lambda: _entry(name), argument)
    raise BadInputError("signer", f"must be {FORMS}", "another form")


def _function(module: str, function: str) -> Callable[[str], Signer]:
    made: Callable[[str], Signer] = getattr(import_module(module), function)
    return made


def _entry(name: str) -> Callable[[str], Signer]:
    found = entry_points(group=ENTRY_POINTS, name=name)
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)})) or "none is installed"
        raise BadInputError(f"signer entry:{name}", f"must be an installed entry point of {ENTRY_POINTS}", known)
    made: Callable[[str], Signer] = next(iter(found)).load()
    return made


def _opened(place: str, load: Callable[[], Callable[[str], Signer]], argument: str) -> Signer:
    try:
        signer = load()(argument)
        algorithm, key_id, public_key = signer.algorithm, signer.key_id, bytes(signer.public_key)
    except ExchangeRouterError:
        raise
    except Exception as error:
        raise BadInputError(place, "must open; ask whoever made the module", type(error).__name__) from None
    if algorithm not in ALGORITHMS:
        raise BadInputError(place, f"must sign by one of {', '.join(ALGORITHMS)}", algorithm)
    try:
        verifier = verifier_of(algorithm, public_key)
    except BadInputError as error:
        raise BadInputError(f"{place}: {error.place}", error.rule, error.value) from None
    if verifier.key_id != key_id:
        raise BadInputError(place, f"must say the key_id {verifier.key_id}, which its key gives", key_id)
    return signer
