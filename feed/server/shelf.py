"""Bundles in memory, and what is cut from them once a group and then served as often as asked."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from feed.bundle.archive import pack
from feed.bundle.bundle import Bundle
from feed.bundle.delta import diff
from feed.bundle.documents import PLATFORM_FILE, PlatformDocument, read
from feed.bundle.manifest import etag_of
from feed.bundle.package import package_of
from feed.bundle.parsed import Parsed, parse

BUNDLE_MEDIA: Final = "application/vnd.exchange-router.bundle"
DELTA_MEDIA: Final = "application/vnd.exchange-router.delta"
GZIP_LEVEL: Final = 5
PARSED_MAX: Final = 16

_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


class Kept(Generic[_KeyT, _ValueT]):
    """What is made once and kept while there is room; asked from several threads, a thing is made by one of them.

    Parameters
    ----------
    count_max : int
    """

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._values: OrderedDict[_KeyT, _ValueT] = OrderedDict()
        self._making: dict[_KeyT, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: _KeyT, make: Callable[[], _ValueT]) -> _ValueT:
        """Return what is kept under a key, made if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            value = make()
            with self._lock:
                self._values[key] = value
                self._making.pop(key, None)
                while len(self._values) > self._count_max:
                    self._values.popitem(last=False)
            return value

    def drop(self, key: _KeyT) -> None:
        """Keep nothing under a key."""
        with self._lock:
            self._values.pop(key, None)

    def peek(self, key: _KeyT) -> _ValueT | None:
        """Return what is kept under a key."""
        return self._values.get(key)


@dataclass(frozen=True, eq=False)
class Held:
    """A bundle that is in use.

    Attributes
    ----------
    bundle : Bundle
    platform : PlatformDocument
    etag : str
    """

    bundle: Bundle
    platform: PlatformDocument
    etag: str


@dataclass(frozen=True, eq=False)
class Cut:
    """What is sent to an agent.

    Attributes
    ----------
    media : str
    plain : bytes
    gzipped : bytes or None
        None where it would not be smaller.
    """

    media: str
    plain: bytes
    gzipped: bytes | None


def held(bundle: Bundle) -> Held:
    """Return a bundle with what it is asked for all the time."""
    return Held(bundle, read(PlatformDocument, bundle.files[PLATFORM_FILE], PLATFORM_FILE), etag_of(bundle))


class Shelf:
    """Bundles by epoch.

    Parameters
    ----------
    load : callable
        Brings a bundle of an epoch from the disk; raises what it likes if there is none.
    bundles_max, cuts_max : int
    """

    def __init__(self, load: Callable[[int], Bundle], bundles_max: int, cuts_max: int) -> None:
        self._load = load
        self._bundles: Kept[int, Held] = Kept(bundles_max)
        self._cuts: Kept[tuple[int, int, int], Cut] = Kept(cuts_max)
        self._parsed: Kept[tuple[int, int], Parsed] = Kept(PARSED_MAX)

    def bundle(self, epoch: int) -> Held:
        """Return the bundle of an epoch."""
        return self._bundles.get(epoch, lambda: held(self._load(epoch)))

    def put(self, bundle: Bundle) -> None:
        """Take a bundle that was just accepted."""
        self._bundles.get(bundle.manifest.epoch, lambda: held(bundle))

    def drop(self, epoch: int) -> None:
        """Forget a bundle that was not accepted in the end, and of which nothing was cut."""
        self._bundles.drop(epoch)

    def ready(self, epoch: int, group: int, base: int = 0) -> Cut | None:
        """Return a cut that was made before."""
        return self._cuts.peek((epoch, group, base))

    def package(self, epoch: int, scope: str) -> Cut:
        """Return what a scope needs of an epoch; raises `RefusedBundleError` if the platform has no such scope."""
        one = self.bundle(epoch)
        part = package_of(one.bundle, one.platform, scope)
        return self._cuts.get((epoch, one.platform.endpoints[scope], 0), lambda: _cut(pack(part)))

    def delta(self, base: int, epoch: int, scope: str) -> Cut:
        """Return what leads a scope from an epoch to another, or the whole package if that is smaller."""
        old, new = self.bundle(base), self.bundle(epoch)
        parts = package_of(old.bundle, old.platform, scope), package_of(new.bundle, new.platform, scope)
        whole = self.package(epoch, scope)

        def make() -> Cut:
            change = diff(*parts)
            return whole if len(change) >= len(whole.gzipped or whole.plain) else Cut(DELTA_MEDIA, change, None)

        # Groups go by their number, which an old platform may give to others: then there is only the whole.
        group = new.platform.endpoints[scope]
        if old.platform != new.platform:
            return whole
        return self._cuts.get((epoch, group, base), make)

    def parsed(self, epoch: int, scope: str) -> Parsed:
        """Return the documents that a scope needs of an epoch."""
        one = self.bundle(epoch)
        part = package_of(one.bundle, one.platform, scope)
        return self._parsed.get((epoch, one.platform.endpoints[scope]), lambda: parse(part))


def _cut(packed: bytes) -> Cut:
    # No time within: equal packages are equal bytes.
    gzipped = gzip.compress(packed, GZIP_LEVEL, mtime=0)
    return Cut(BUNDLE_MEDIA, packed, gzipped if len(gzipped) < len(packed) else None)
