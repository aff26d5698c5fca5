"""Descriptions that were written as HTML, as plain text."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

_MARKUP = re.compile(
    r"</?(?:p|br|div|span|a|b|i|em|strong|ul|ol|li|h[1-6]|sub|sup|code|pre|table|tr|td|blockquote)"
    r"(?:\s[^<>]*)?/?>",
    re.I,
)
_BLOCKS = frozenset(
    ("p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "ul", "ol", "table")
)
_HIDDEN = frozenset(("script", "style"))
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.I)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in _HIDDEN
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in _HIDDEN and self.hidden > 0
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def plain_text(text: str) -> str:
    r"""Return text without HTML; what has no tags of HTML stays as it is, but for entities.

    >>> plain_text("<p>Cells&nbsp;of <em>A</em>.</p><p>Fixed.</p>"), plain_text("p < 0.05")
    ('Cells of A.\nFixed.', 'p < 0.05')
    """
    if not _MARKUP.search(text):
        return unescape(text).strip() if _ENTITY.search(text) else text.strip()
    reader = _Text()
    reader.feed(text)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return "\n".join(line for line in lines if line)
