from __future__ import annotations

import os
from pathlib import Path

import pytest
from importer_twins import Folder, Twin


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def twin() -> Twin:
    return Twin()


@pytest.fixture
def published() -> Path:
    """The folder of published data, which is no part of the project."""
    default = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get("EXCHANGE_DATA", default))
    if not path.is_dir():
        pytest.skip(f"published data is not at {path}: set EXCHANGE_DATA")
    return path
