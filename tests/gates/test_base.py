"""The base is the revision whose figures were accepted last."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks.gates.base import Base, NoBaseError


class Checkout:
    """A repository with two sources and a file of records."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q")
        self.records = folder / "records.json"

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(self.folder), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, content in files.items():
            (self.folder / name.replace("_", ".")).write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "here")


def test_it_is_the_last_commit_that_changed_the_records_so_small_rises_add_up(checkout):
    checkout.commit(core_pyx="1", records_json="{}")
    accepted = checkout.commit(core_pyx="2", records_json='{"a": 1}')
    for small in range(5):
        checkout.commit(core_pyx=f"3.{small}")
    base = Base(checkout.folder)
    assert base.of(checkout.records) == accepted
    assert not base.unchanged(accepted, ["core.pyx"])
    assert base.unchanged(accepted, ["records.json"])


def test_a_change_that_brings_its_record_along_is_its_own_base(checkout):
    checkout.commit(core_pyx="1", records_json="{}")
    head = checkout.commit(core_pyx="2", records_json='{"a": 2}')
    base = Base(checkout.folder)
    assert base.of(checkout.records) == head
    assert base.unchanged(head, ["core.pyx"])


def test_what_is_changed_or_new_without_a_commit_counts(checkout):
    head = checkout.commit(core_pyx="1", records_json="{}")
    base = Base(checkout.folder)
    (checkout.folder / "new.pyx").write_text("")
    assert not base.unchanged(head, ["*.pyx"])
    (checkout.folder / "new.pyx").unlink()
    assert base.unchanged(head, ["*.pyx"])
    (checkout.folder / "core.pyx").write_text("2")
    assert not base.unchanged(head, ["*.pyx"])


def test_a_history_that_is_cut_off_there_has_no_base(checkout, tmp_path):
    checkout.commit(core_pyx="1", records_json="{}")
    checkout.commit(core_pyx="2")
    checkout.git("clone", "-q", "--depth", "1", f"file://{checkout.folder}", str(tmp_path / "shallow"))
    with pytest.raises(NoBaseError, match="cut off"):
        Base(tmp_path / "shallow").of(tmp_path / "shallow" / "records.json")


def test_records_in_no_commit_have_no_base_nor_has_a_folder_outside_git(checkout, tmp_path):
    checkout.commit(core_pyx="1")
    with pytest.raises(NoBaseError, match="in no commit yet"):
        Base(checkout.folder).of(checkout.records)
    (tmp_path / "bare").mkdir()
    with pytest.raises(NoBaseError, match="git"):
        Base(tmp_path / "bare").of(tmp_path / "bare" / "records.json")


def test_another_revision_may_be_named_and_must_exist(checkout):
    first = checkout.commit(core_pyx="1", records_json="{}")
    checkout.commit(records_json='{"a": 1}')
    assert Base(checkout.folder, revision="HEAD~1").of(checkout.records) == first
    with pytest.raises(NoBaseError):
        Base(checkout.folder, revision="nowhere").of(checkout.records)
