"""The trust in force: the file that was installed, remembered, so that an older one never takes its place."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NoReturn

from feed.clock import utc_of
from feed.disk import SYSTEM_DISK, Disk
from feed.durable import READABLE
from feed.refusals import RefusedBundleError
from feed.signing.guarded_files import read_unalterable
from feed.signing.rotation import rotated
from feed.signing.trust import TRUST_BYTES_MAX, Trust, parse_trust, read_trust, trust_json
from router_core.errors import BadInputError

KEPT_FILE: Final = "trust.json"
ENVELOPE_SUFFIX: Final = ".envelope.json"


class TrustStore:
    """Follows a trust file from version to version.

    The first file is believed, as whoever installs the agent installs it. A later version is believed only if the keys
    of the one before it have signed that, in ``<file>.envelope.json`` beside it.

    Parameters
    ----------
    folder : Path
        The agent's state; keeps ``trust.json``.
    file : Path
        As an operator installs it.
    disk : Disk, optional

    Raises
    ------
    BadInputError
        If there is no trust that can be relied on: neither a kept one nor a sound file.
    """

    def __init__(self, folder: Path, file: Path, disk: Disk = SYSTEM_DISK) -> None:
        self._disk = disk
        self._kept = folder / KEPT_FILE
        self._file = file
        self._looked_at: tuple[int, int, int] | None = None
        if self._kept.exists():
            self.trust = read_trust(self._kept)
        else:
            self.trust = read_trust(file)
            self._keep(self.trust)

    def refresh(self, now_ns: int) -> bool | None:
        """Take in a file that was installed since; return whether the trust is another one, None if there is no news.

        Raises
        ------
        BadInputError, RefusedBundleError
            If the file is no next version: the trust stays as it was.
        """
        try:
            about = self._file.stat()
        except OSError:
            return None  # the kept copy goes on to hold
        seen = about.st_mtime_ns, about.st_size, about.st_ino
        if seen == self._looked_at:
            return None
        self._looked_at = seen
        data = read_unalterable(self._file, TRUST_BYTES_MAX)
        new = self._next(data, now_ns)
        if new is None:
            return False
        self._keep(new)
        self.trust = new
        return True

    def _keep(self, trust: Trust) -> None:
        self._disk.write(self._kept, trust_json(trust), READABLE)

    def _next(self, data: bytes, now_ns: int) -> Trust | None:
        """Return what follows the trust in force by a file, None if the file is the one in force."""
        try:
            offered = parse_trust(data)
            if offered.version == self.trust.version and trust_json(offered) == trust_json(self.trust):
                return None
            if offered.version <= self.trust.version:
                self._never_back(offered)
            envelope = self._file.with_name(self._file.name + ENVELOPE_SUFFIX)
            return rotated(self.trust, data, read_unalterable(envelope, TRUST_BYTES_MAX), utc_of(now_ns))
        except BadInputError as error:
            raise error.within(str(self._file)) from None
        except RefusedBundleError as error:
            raise RefusedBundleError(error.refusal, f"{self._file.name}: {error.detail}") from None

    def _never_back(self, offered: Trust) -> NoReturn:
        rule = f"must be {self.trust.version + 1}: the kept one is never replaced by an older or another one"
        raise BadInputError("version", rule, offered.version)
