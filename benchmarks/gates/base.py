"""The base: the revision whose figures were accepted last, built beside, for toolchains that are not on record.

It is the last commit that changed the gate's file of records. So a series of small rises, each below the limit, is
found, and a change that is meant to cost something brings its new record along and is its own base.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gates.children import ROOT

TREES = ROOT / "build" / "gates" / "base"


class NoBaseError(Exception):
    """There is no base to compare with; the message says why."""


@dataclass(frozen=True)
class Base:
    """A checkout, where its base revisions are built, and a revision to take instead of the one of the records."""

    root: Path = ROOT
    trees: Path = TREES
    revision: str | None = None

    def of(self, records: Path) -> str:
        """Return the revision whose figures stand in this file.

        Raises
        ------
        NoBaseError
            If git is not there, has no such history, or the file is in none.
        """
        if self.revision is not None:
            return self._git("rev-parse", "--verify", f"{self.revision}^{{commit}}")
        place = os.path.relpath(records, self.root)
        found = self._git("log", "-1", "--format=%H", "--", place)
        if not found:
            raise NoBaseError("the records are in no commit yet")
        if found in self._shallow():
            raise NoBaseError("git's history is cut off where the records changed: fetch all of it")
        return found

    def unchanged(self, revision: str, sources: Sequence[str]) -> bool:
        """Whether these sources, as they lie here, are those of the revision."""
        changed = self._git("diff", "--name-only", revision, "--", *sources)
        new = self._git("ls-files", "--others", "--exclude-standard", "--", *sources)
        return not changed and not new

    def tree(self, revision: str) -> Path:
        """Return the revision's files with its extensions built, made unless they have been."""
        tree = self.trees / revision[:16]
        if (tree / ".built").exists():
            return tree
        print(f"building the base {revision[:12]} to compare with", file=sys.stderr, flush=True)
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        packed = subprocess.run(["git", "-C", str(self.root), "archive", revision], capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(tree, filter="data")
        command = [sys.executable, "-W", "ignore", "setup.py", "-q", "build_ext", "--inplace"]
        built = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        if built.returncode:
            raise NoBaseError(f"the base {revision[:12]} does not build: {built.stderr.strip()[-300:]}")
        (tree / ".built").touch()
        return tree

    def _shallow(self) -> frozenset[str]:
        """Commits whose parents were not fetched: of these git says that they changed every file."""
        path = Path(self._git("rev-parse", "--git-path", "shallow"))
        path = path if path.is_absolute() else self.root / path
        return frozenset(path.read_text(encoding="utf-8").split()) if path.exists() else frozenset()

    def _git(self, *words: str) -> str:
        try:
            done = subprocess.run(["git", "-C", str(self.root), *words], capture_output=True, text=True, check=True)
        except OSError as error:
            raise NoBaseError(f"git: {error}") from None
        except subprocess.CalledProcessError as error:
            raise NoBaseError(f"git: {error.stderr.strip()}") from None
        return done.stdout.strip()
