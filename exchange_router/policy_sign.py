"""`policy sign`: a bundle gets the signatures of those who answer for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.bundle_files import read_bundle, write_bundle
from exchange_router.options import AsJson
from feed.bundle.bundle import Bundle
from feed.bundle.documents import MANIFEST_FILE
from feed.bundle.manifest import etag_of, sealed
from feed.refusals import Refusal, RefusedBundleError
from feed.signing.dsse import PAYLOAD_TYPE, add_signature, open_envelope
from feed.signing.signer import Signer
from feed.signing.signer_specs import FORMS, signer_from


def sign(
    bundle: Annotated[Path, typer.Argument(help="Bundle to sign; signatures that it has stay.  待签名的策略包。")],
    key: Annotated[list[str], typer.Option(help=f"Who signs: {FORMS}; may be repeated.  签名者，可重复。")],
    out: Annotated[Path, typer.Option(help="File for the signed bundle; may be the same.  签名后的策略包文件。")],
    as_json: AsJson = False,
) -> None:
    """Sign a bundle whose files are those of its manifest.  核对文件清单后签署策略包。"""
    signed = _signed(read_bundle(bundle), [signer_from(spec) for spec in key])
    write_bundle(out, signed)
    text, manifest = console.text, signed.manifest
    names = [name for name, _ in open_envelope(signed.envelope_json or b"", PAYLOAD_TYPE).signatures]
    document = {
        "file": str(out),
        "etag": etag_of(signed),
        "epoch": manifest.epoch,
        "scenario": manifest.scenario,
        "topology": manifest.topology,
        "content": manifest.content,
        "hard_expiry": manifest.hard_expiry.isoformat(),
        "signed_by": names,
    }
    rows = [
        (text("epoch", "纪元"), str(manifest.epoch)),
        (text("scenario", "场景"), manifest.scenario),
        (text("content", "内容摘要"), manifest.content),
        (text("lapses", "硬过期"), manifest.hard_expiry.isoformat()),
        *((text("signed by", "签名密钥"), name) for name in names),
        (text("file", "文件"), str(out)),
    ]
    console.emit(document, as_json, console.facts(text("signed bundle", "已签名策略包"), rows))


def _signed(bundle: Bundle, signers: list[Signer]) -> Bundle:
    if bundle.envelope_json is None:
        return sealed(bundle, signers)
    if open_envelope(bundle.envelope_json, PAYLOAD_TYPE).payload != bundle.manifest_json:
        raise RefusedBundleError(Refusal.ALTERED, f"{MANIFEST_FILE}: must be the one that others signed")
    envelope = bundle.envelope_json
    for signer in signers:
        envelope = add_signature(envelope, signer)
    return Bundle(bundle.manifest_json, bundle.manifest, bundle.files, envelope)
