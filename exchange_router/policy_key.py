"""`policy key`: the keys that policies are signed with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange_router import console
from exchange_router.options import AsJson
from feed.signing.key_files import new_key, read_public_half, write_public_key
from feed.signing.key_forms import public_pem
from feed.signing.signer import ALGORITHMS, Verifier
from router_core.errors import BadInputError

app = typer.Typer(help="Signing keys: make, show.  签名密钥：生成、查看。", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def keys() -> None:
    """Signing keys: make, show.  签名密钥：生成、查看。"""


@app.command("new")
def new(
    out: Annotated[Path, typer.Option(help="New file for the private key; FILE.pub is made beside it.  私钥文件。")],
    algorithm: Annotated[str, typer.Option(help=f"One of {', '.join(ALGORITHMS)}.  签名算法。")] = ALGORITHMS[0],
    as_json: AsJson = False,
) -> None:
    """Draw a new key: FILE for its holder alone, FILE.pub for the trust file.  生成新密钥。"""
    if algorithm not in ALGORITHMS:
        raise BadInputError("--algorithm", f"must be one of {', '.join(ALGORITHMS)}", algorithm)
    public = out.with_name(out.name + ".pub")
    if os.path.lexists(public):
        raise BadInputError("file", "must be a new one", "there is one already", str(public))
    verifier = new_key(algorithm, out)
    write_public_key(public, verifier)
    _emit(verifier, {"private_file": str(out), "public_file": str(public)}, as_json)


@app.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="Key file; of a private one only the public half is shown.  密钥文件。")],
    as_json: AsJson = False,
) -> None:
    """Show a key's name and public half.  查看密钥标识与公钥。"""
    verifier, private = read_public_half(file)
    _emit(verifier, {"private_file" if private else "public_file": str(file)}, as_json)


def _emit(verifier: Verifier, files: dict[str, str], as_json: bool) -> None:
    text = console.text
    pem = public_pem(verifier.algorithm, verifier.public_key).decode()
    document: dict[str, Any] = {"key_id": verifier.key_id, "algorithm": verifier.algorithm, "public_key": pem, **files}
    names = {"private_file": text("private key", "私钥文件"), "public_file": text("public key", "公钥文件")}
    rows = [
        (text("key", "密钥标识"), verifier.key_id),
        (text("algorithm", "算法"), verifier.algorithm),
        *((names[kind], file) for kind, file in files.items()),
        (text("PEM", "公钥内容"), pem.strip()),
    ]
    console.emit(document, as_json, console.facts(text("key", "密钥"), rows))
