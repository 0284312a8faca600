"""Search that finds Chinese as well as English: it writes no blanks between words, so each two signs are a word."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

WORDS = re.compile(r"[\u4e00-\u9fff]+|[^\W\u4e00-\u9fff]+")


class EnglishAndChinese(SearchEnglish):
    """English, and pairs of neighbouring signs of Chinese."""

    lang = "en-zh"
    language_name = "English"  # the stemmer's name in JavaScript
    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.match(/[\u4e00-\u9fff]+|[\p{Letter}\p{Number}_]+/gu) || []).flatMap((word) =>
    /[\u4e00-\u9fff]{3}/.test(word)
      ? Array.from({length: word.length - 1}, (_, at) => word.slice(at, at + 2))
      : [word]);
"""

    def split(self, input: str) -> list[str]:
        """Return the words of a text."""
        found: list[str] = []
        for word in WORDS.findall(input):
            if "\u4e00" <= word[0] <= "\u9fff":
                found += [word[at : at + 2] for at in range(max(len(word) - 1, 1))]
            else:
                found.append(word)
        return found


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the language."""
    app.add_search_language(EnglishAndChinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
