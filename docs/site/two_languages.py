"""Pages under `zh/` say that they are Chinese, so that browsers choose their signs and readers their voice."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def tell_language(_app: Sphinx, page: str, _template: str, context: dict[str, Any], _document: object) -> None:
    """Set the language of a page before it is written."""
    context["language"] = "zh-CN" if page.startswith("zh/") else "en"


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to pages that are about to be written."""
    app.connect("html-page-context", tell_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
