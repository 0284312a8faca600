"""What somebody between centre and front-ends does to bundles: damages them, or gives out old and forged ones."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

from feed_signing import signer

from feed.agent.http_link import BUNDLE_TYPE
from feed.bundle.archive import pack, unpack
from feed.bundle.bundle import Bundle
from feed.bundle.documents import canonical_json
from feed.bundle.manifest import etag_of, manifest_of, sealed
from feed.refusals import RefusedBundleError
from swarm.context import Context
from swarm.keyring import STRANGER
from swarm.troubles import Kind
from swarm.wire import Answered, Asked, flipped

BUNDLES = "/v1/bundles/"
# A forged policy is newer than any other.
AHEAD = 100
# What a forged answer says anew, or does not need.
REWRITTEN = {b"etag", b"content-length", b"content-encoding"}


class Tampering:
    """Changes answers as the troubles of the moment say.

    Parameters
    ----------
    context : Context
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._draw = context.draw("tampering")
        self._seen: list[Answered] = []
        self.count = 0

    def __call__(self, asked: Asked, answered: Answered, end: int) -> Answered:
        """Return what reaches the agent."""
        if not asked.path.startswith(BUNDLES):
            return answered
        weather = self._context.weather
        if answered.status == 200:
            if any(one.strength > self._draw.random() for one in weather.struck(end, Kind.BUNDLE_CORRUPTED)):
                self.count += 1
                return replace(answered, body=flipped(self._draw, answered.body))
            self._seen.append(answered)
        if self._seen and any(one.strength > self._draw.random() for one in weather.struck(end, Kind.BUNDLE_REPLAYED)):
            self.count += 1
            return self._other()
        return answered

    def _other(self) -> Answered:
        """An older answer, of this front-end or another one; as it was, or signed by a stranger as if it were new."""
        old = self._seen[int(self._draw.integers(len(self._seen)))]
        whole = dict(old.headers).get(b"content-type", b"").startswith(BUNDLE_TYPE.encode())
        if self._draw.random() < 0.5 or not whole:
            return old
        packed = (b"content-encoding", b"gzip") in old.headers
        try:
            bundle = unpack(gzip.decompress(old.body) if packed else old.body, package=True)
        except RefusedBundleError:
            return old
        newer = canonical_json(json.loads(bundle.manifest_json) | {"epoch": bundle.manifest.epoch + AHEAD})
        forged = sealed(Bundle(newer, manifest_of(newer), bundle.files), (signer(STRANGER),))
        headers = tuple((key, value) for key, value in old.headers if key not in REWRITTEN)
        return Answered(200, (*headers, (b"etag", f'"{etag_of(forged)}"'.encode())), pack(forged))
