"""Log lines: one JSON object each, on stderr, and nothing in them that looks like a secret."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Final

ACCESS: Final = logging.getLogger("exchange_router.access")
# A token's secret is 43 characters of base64url behind a name and a dot; whatever stands behind "Bearer" is one too.
_SECRET: Final = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{1,64})\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
_BEARER: Final = re.compile(r"([Bb]earer)(?:%20|[\s:=+])+[^\s\"',&]+")


def redacted(text: str) -> str:
    """Return the text without what could be a token's secret."""
    return _BEARER.sub(r"\1 <redacted>", _SECRET.sub(r"\1.<redacted>", text))


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        document: dict[str, object] = {"at": at, "level": record.levelname.lower(), "from": record.name}
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            document |= fields
        else:
            document["message"] = record.getMessage()
        if record.exc_info:
            document["trace"] = self.formatException(record.exc_info)
        return redacted(json.dumps(document, ensure_ascii=False))


def to_stderr(level: int = logging.INFO) -> None:
    """Send the lines of this project and of its HTTP server to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("exchange_router", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)
