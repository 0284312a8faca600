"""`policy trust`: whose signatures count, and how that changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange_router import console
from exchange_router.bundle_files import moment_of
from exchange_router.options import AsJson
from feed.durable import READABLE, write_durably
from feed.signing.dsse import add_signature, open_envelope, pae, sign
from feed.signing.guarded_files import read_unalterable
from feed.signing.key_files import read_verifier
from feed.signing.rotation import rotated
from feed.signing.signer_specs import FORMS, signer_from
from feed.signing.trust import (
    TRUST_BYTES_MAX,
    TRUST_TYPE,
    Trust,
    TrustedKey,
    new_trust,
    parse_trust,
    read_trust,
    trust_json,
    trusted_key,
    write_trust,
)
from feed.signing.verifiers import verifier_of
from router_core.errors import BadInputError

PREFIX_MIN: Final = 8
# Where readers look for the signatures of a trust file that is not their first.
ENVELOPE_SUFFIX: Final = ".envelope.json"

app = typer.Typer(
    help="Trust files: make, rotate, sign, accept, show.  信任文件：新建、轮换、签名、启用、查看。",
    no_args_is_help=True,
    rich_markup_mode=None,
)

TrustFile = Annotated[Path, typer.Argument(help="Trust file in force.  现行信任文件。")]
Proposal = Annotated[Path, typer.Argument(help="Proposal of `policy trust rotate`.  轮换提案文件。")]
Signers = Annotated[list[str], typer.Option("--sign", help=f"Who signs: {FORMS}; may be repeated.  签名者。")]
ValidFrom = Annotated[
    str | None,
    typer.Option(help="When new keys begin to count, e.g. 2026-03-17T00:00 (default: now).  生效时间。"),
]
ValidDays = Annotated[int, typer.Option(min=1, max=36_500, help="Days that new keys count.  有效天数。")]


@app.callback()
def trusts() -> None:
    """Trust files: make, rotate, sign, accept, show.  信任文件：新建、轮换、签名、启用、查看。"""


@app.command("new")
def new(
    key: Annotated[list[Path], typer.Option(help="Public key file; may be repeated.  公钥文件，可重复。")],
    threshold: Annotated[int, typer.Option(min=1, help="So many different keys must sign.  签名门限。")],
    out: Annotated[Path, typer.Option(help="New trust file.  新信任文件。")],
    valid_from: ValidFrom = None,
    valid_days: ValidDays = 730,
    as_json: AsJson = False,
) -> None:
    """Make the first trust file; bring it to every reader by hand.  新建首份信任文件，须人工送达各读取方。"""
    if out.exists():
        raise BadInputError("--out", "must be a new file; change one in force with `policy trust rotate`", str(out))
    trust = new_trust(_entries(key, valid_from, valid_days), threshold)
    write_trust(out, trust)
    _emit(trust, {"file": str(out)}, None, as_json)


@app.command("rotate")
def rotate(
    trust: TrustFile,
    signers: Signers,
    out: Annotated[Path, typer.Option(help="File for the proposal.  提案文件。")],
    add: Annotated[list[Path] | None, typer.Option(help="Public key file to trust, or to renew.  新增或续期。")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Key to leave out.  移除的密钥标识。")] = None,
    revoke: Annotated[list[str] | None, typer.Option(help="Key that never counts again.  吊销的密钥标识。")] = None,
    threshold: Annotated[int | None, typer.Option(min=1, help="New threshold (default: as now).  新门限。")] = None,
    valid_from: ValidFrom = None,
    valid_days: ValidDays = 730,
    as_json: AsJson = False,
) -> None:
    """Propose the next trust file; old and new keys sign it before it holds.  提议下一份信任文件，新旧密钥均须签名。"""
    old = read_trust(trust)
    entries = {key.key_id: key for key in old.keys}
    for name in remove or []:
        entries.pop(_named(old, name), None)
    for name in revoke or []:
        key_id = _named(old, name)
        if key_id not in entries:
            raise BadInputError("--revoke", "must be no key that is removed too", name)
        entries[key_id] = entries[key_id].model_copy(update={"revoked": True})
    for entry in _entries(add or [], valid_from, valid_days):
        if entry.key_id in entries and entries[entry.key_id].revoked:
            raise BadInputError("--add", "must be no revoked key; make a new one", entry.key_id)
        entries[entry.key_id] = entry
    if not entries:
        raise BadInputError("--remove", "must leave a key", 0)
    new = new_trust(list(entries.values()), threshold or old.threshold, old.version + 1)
    envelope = sign(trust_json(new), TRUST_TYPE, [signer_from(spec) for spec in signers])
    write_durably(out, envelope, READABLE)
    _emit(new, {"file": str(out)}, envelope, as_json)


@app.command("sign")
def sign_proposal(
    proposal: Proposal,
    signers: Signers,
    as_json: AsJson = False,
) -> None:
    """Sign a proposal; look at it first with `policy trust show`.  签署轮换提案，请先查看其内容。"""
    envelope = read_unalterable(proposal, TRUST_BYTES_MAX)
    new = parse_trust(open_envelope(envelope, TRUST_TYPE).payload)
    for spec in signers:
        envelope = add_signature(envelope, signer_from(spec), TRUST_TYPE)
    write_durably(proposal, envelope, READABLE)
    _emit(new, {"file": str(proposal)}, envelope, as_json)


@app.command("accept")
def accept(trust: TrustFile, proposal: Proposal, as_json: AsJson = False) -> None:
    """Put a proposal in force, if old and new keys have signed it: trust file and signatures.  校验后启用轮换提案。"""
    old = read_trust(trust)
    envelope = read_unalterable(proposal, TRUST_BYTES_MAX)
    new = rotated(old, open_envelope(envelope, TRUST_TYPE).payload, envelope, datetime.now(UTC))
    # The envelope first: a reader that sees the new file looks for the signatures beside it.
    beside = trust.with_name(trust.name + ENVELOPE_SUFFIX)
    write_durably(beside, envelope, READABLE)
    write_trust(trust, new)
    _emit(new, {"file": str(trust), "envelope": str(beside)}, envelope, as_json)


@app.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="Trust file or proposal.  信任文件或轮换提案。")], as_json: AsJson = False
) -> None:
    """Show keys, threshold, and who has signed.  查看密钥、门限与签名情况。"""
    data = read_unalterable(file, TRUST_BYTES_MAX)
    if b'"payloadType"' in data:
        _emit(parse_trust(open_envelope(data, TRUST_TYPE).payload), {"file": str(file)}, data, as_json)
    else:
        _emit(read_trust(file), {"file": str(file)}, None, as_json)


def _entries(files: Sequence[Path], valid_from: str | None, valid_days: int) -> list[TrustedKey]:
    begin = moment_of(valid_from, "--valid-from")
    try:
        end = begin + timedelta(days=valid_days)
    except OverflowError:
        raise BadInputError("--valid-days", "must end before the year 10000", valid_days) from None
    return [trusted_key(read_verifier(file), begin, end) for file in files]


def _named(trust: Trust, name: str) -> str:
    found = [key.key_id for key in trust.keys if key.key_id.startswith(name)]
    if len(name) < PREFIX_MIN or len(found) != 1:
        raise BadInputError("key", f"must be the first {PREFIX_MIN} digits or more of one key of the trust file", name)
    return found[0]


def _emit(trust: Trust, files: dict[str, str], envelope: bytes | None, as_json: bool) -> None:
    text, now = console.text, datetime.now(UTC)
    signed = {} if envelope is None else _signatures(trust, envelope)
    document: dict[str, Any] = {
        **files,
        "version": trust.version,
        "threshold": trust.threshold,
        "keys": [key.model_dump(mode="json") | {"usable": trust.flaw(key.key_id, now) is None} for key in trust.keys],
    }
    title = text(
        f"trust, version {trust.version}: {trust.threshold} of {len(trust.keys)} keys must sign",
        f"信任文件第 {trust.version} 版：{len(trust.keys)} 个密钥中须有 {trust.threshold} 个签名",
    )
    columns = [text("key", "密钥标识"), text("algorithm", "算法"), text("until", "有效期至"), text("state", "状态")]
    if envelope is not None:
        document["signatures"] = dict(signed)
        columns.append(text("signed", "已签名"))
    table = console.table(title, *columns)
    for key in trust.keys:
        state = trust.flaw(key.key_id, now) or text("counts", "有效")
        row = [key.key_id, key.algorithm, f"{key.valid_until:%Y-%m-%d}", state]
        table.add_row(*row, *([] if envelope is None else [signed.pop(key.key_id, "-")]))
    for key_id, state in signed.items():
        table.add_row(key_id, "-", "-", text("is left out", "不再列入"), state)
    console.emit(document, as_json, table)


def _signatures(trust: Trust, envelope_json: bytes) -> dict[str, str]:
    """Who has signed a proposal, and whether that holds, as far as the proposal's own keys can tell."""
    envelope = open_envelope(envelope_json, TRUST_TYPE)
    message = pae(envelope.payload_type, envelope.payload)
    known = {key.key_id: verifier_of(key.algorithm, bytes.fromhex(key.public_key)) for key in trust.keys}
    return {
        key_id: "unknown" if key_id not in known else "good" if known[key_id].verifies(message, signature) else "bad"
        for key_id, signature in envelope.signatures
    }
