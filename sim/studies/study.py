"""A study's folder: what it found, from what, with which seeds; tables; and the page.

study.json        kind, provenance, verdict, seeds, and what the study wants to tell programs (`Study`)
page.json         the page's blocks (`sim.report.blocks`)
<name>.parquet    tables
report.html       the page, made from study.json and page.json alone
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router_core.errors import BadInputError
from sim.report.blocks import Page, Verdict

FORMAT: Final = 1
STUDY_FILE: Final = "study.json"
PAGE_FILE: Final = "page.json"
_ModelT = TypeVar("_ModelT", bound=BaseModel)
Kind = Literal["compare", "tune", "survive", "grow"]


class Study(BaseModel):
    """study.json.

    Attributes
    ----------
    format : int
    kind : str
    provenance : dict
        As `exchange_router.provenance.provenance` makes it.
    verdict : Verdict
    seeds : list of int
        Of the replications, in their order: each is the seed of its world and of its drawn trace.
    tables : list of str
        Names of the Parquet files, without their ending.
    found : dict
        What this kind of study has to tell; JSON's types. Its command's page says what is in it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    format: Literal[1] = FORMAT
    kind: Kind
    provenance: dict[str, Any]
    verdict: Verdict
    seeds: list[Annotated[int, Field(ge=0)]]
    tables: list[str] = []
    found: dict[str, Any] = {}


@dataclass(frozen=True, eq=False)
class StudyFolder:
    """All that a study writes.

    Attributes
    ----------
    study : Study
        Its `tables` are those given here.
    page : Page
    tables : mapping of str to pyarrow.Table
    files : mapping of str to bytes
        Further files by name, such as a setting that `tune` found.
    """

    study: Study
    page: Page
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


def replaceable(out: Path) -> None:
    """Refuse a place for results that holds something else; call it before minutes are spent.

    Raises
    ------
    BadInputError
    """
    if out.exists() and not out.is_dir():
        raise BadInputError("--out", "must be a folder", str(out))
    if out.is_dir() and any(out.iterdir()) and not (out / STUDY_FILE).is_file():
        raise BadInputError("--out", "must be new, empty, or hold an earlier study that may be replaced", str(out))


def write_study(out: Path, folder: StudyFolder) -> Path:
    """Write the whole folder beside `out`, then put it in its place; return the page.

    A run that fails leaves what was there before.
    """
    draft, earlier = (out.with_name(f".{out.name}.{os.getpid()}.{what}") for what in ("part", "earlier"))
    try:
        draft.mkdir(parents=True)
        study = folder.study.model_copy(update={"tables": sorted(folder.tables)})
        _write_json(draft / STUDY_FILE, study)
        _write_json(draft / PAGE_FILE, folder.page)
        for name, table in folder.tables.items():
            pq.write_table(table, draft / f"{name}.parquet", compression="zstd")
        for name, content in folder.files.items():
            (draft / name).write_bytes(content)
        page = _draw(draft, study, folder.page)
        if out.exists():
            os.replace(out, earlier)
        os.replace(draft, out)
    finally:
        if earlier.exists() and not out.exists():
            os.replace(earlier, out)
        for left_over in (draft, earlier):
            shutil.rmtree(left_over, ignore_errors=True)
    return out / page.name


def redraw_study(folder: Path) -> Path:
    """Make the page of a stored study anew, and return it; the same bytes, unless the program has changed.

    Raises
    ------
    BadInputError
        As `read_study`.
    """
    return _draw(folder, *read_study(folder))


def _draw(folder: Path, study: Study, page: Page) -> Path:
    from sim.report.study_page import write_study_page  # noqa: PLC0415 - reading a study needs no page

    return write_study_page(folder, page, study.provenance | {"seeds": study.seeds})


def read_study(folder: Path) -> tuple[Study, Page]:
    """Read a study's documents.

    Raises
    ------
    BadInputError
        Naming file, key, rule and value.
    """
    return _read(folder / STUDY_FILE, Study), _read(folder / PAGE_FILE, Page)


def is_study(folder: Path) -> bool:
    """Whether a folder holds a study."""
    return (folder / STUDY_FILE).is_file()


def _write_json(path: Path, model: BaseModel) -> None:
    text = json.dumps(model.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _read(path: Path, model: type[_ModelT]) -> _ModelT:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInputError("file", "must exist in a study's folder", error.strerror, str(path)) from None
    except BadInputError as error:
        raise error.within(str(path)) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise BadInputError(place, first["msg"], first.get("input"), str(path)) from None
