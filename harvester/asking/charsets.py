"""Names of charsets that are believed: not every codec is one, and some take for ever."""

from __future__ import annotations

import re

_CHARSET = re.compile(
    r"utf-?(8|16|32)([-_](le|be))?|(us-)?ascii|(iso[-_]?8859|windows|cp|latin)[-_]?\d{1,4}"
    r"|gb(k|2312|18030)|big5|shift[-_]jis|euc[-_](jp|kr)|koi8[-_][ru]",
    re.IGNORECASE,
)


def is_charset(name: str) -> bool:
    """Whether a name is that of a charset that text on the web is written in.

    >>> is_charset("ISO-8859-1"), is_charset("punycode")
    (True, False)
    """
    return _CHARSET.fullmatch(name) is not None
