"""Pages under `zh/` say that they are Chinese, and join their lines without the blanks that Chinese does not write."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

FOLDER = "zh/"
SIGN = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef\u201c\u201d]")


class JoinedLines(SphinxTransform):
    """Take out ends of lines between two Chinese signs."""

    default_priority = 400

    def apply(self, **_options: Any) -> None:
        """Change the page."""
        if not self.env.docname.startswith(FOLDER):
            return
        for end in [one for one in self.document.findall(nodes.Text) if one == "\n"]:
            place = end.parent.index(end)
            around = end.parent[place - 1 : place] + end.parent[place + 1 : place + 2]
            before, after = (one.astext() for one in around) if len(around) == 2 else ("", "")
            if before and after and SIGN.match(before[-1]) and SIGN.match(after[0]):
                end.parent.remove(end)


def tell_language(_app: Sphinx, page: str, _template: str, context: dict[str, Any], _document: object) -> None:
    """Set the language of a page before it is written."""
    context["language"] = "zh-CN" if page.startswith(FOLDER) else "en"


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to pages that are about to be written."""
    app.add_transform(JoinedLines)
    app.connect("html-page-context", tell_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
