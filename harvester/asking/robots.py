"""robots.txt (RFC 9309): what web pages a host lets programs read."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from yarl import URL

from harvester.asking.addresses import origin, shown
from parfocal.errors import SourceRefused

_MAX_SIZE = 512 * 1024
_PRODUCT = re.compile(r"[a-z_-]+")


class Asks(Protocol):
    """What can ask for an address."""

    @property
    def get(self) -> Callable[..., Awaitable[Any]]:
        """Return the method that asks."""
        ...


class Rules:
    r"""The rules of one robots.txt for one product.

    >>> Rules("User-agent: *\nDisallow: /private", "parfocal/1").allow("/private/a")
    False
    """

    def __init__(self, text: str, user_agent: str) -> None:
        product = _product(user_agent)
        groups = _groups(text)
        own = [rules for names, rules in groups if product in names]
        chosen = own or [rules for names, rules in groups if "*" in names]
        self._rules = [rule for rules in chosen for rule in rules]

    def allow(self, path: str) -> bool:
        """Whether a path with its query may be read: the longest rule that matches decides."""
        matching = [(len(p), allowed) for allowed, p in self._rules if _matches(p, path)]
        return max(matching, default=(0, True))[1]


def _product(user_agent: str) -> str:
    match = _PRODUCT.match(user_agent.lower())
    return match.group() if match else ""


def _groups(text: str) -> list[tuple[set[str], list[tuple[bool, str]]]]:
    groups: list[tuple[set[str], list[tuple[bool, str]]]] = []
    open_names = False
    for line in text.splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            if not open_names:
                groups.append((set(), []))
            groups[-1][0].add(value if value == "*" else _product(value))
            open_names = True
        elif name in ("allow", "disallow"):
            open_names = False
            if groups and value:
                groups[-1][1].append((name == "allow", value))
    return groups


def _matches(pattern: str, path: str) -> bool:
    """Whether a path begins with a pattern, where * stands for anything and $ for the end."""
    *parts, last = pattern.removesuffix("$").split("*")
    place = 0
    for number, part in enumerate(parts):
        found = path.find(part, place)
        if found < 0 or (number == 0 and found > 0):
            return False
        place = found + len(part)
    if not pattern.endswith("$"):
        return path.find(last, place) >= 0 if parts else path.startswith(last)
    return path.endswith(last) and len(path) - len(last) >= place and (bool(parts) or path == last)


class Robots:
    """The robots.txt of all hosts that a walk asks for pages; each is read once."""

    def __init__(self, http: Asks, user_agent: str) -> None:
        self._http = http
        self._user_agent = user_agent
        self._known: dict[tuple[str, str, int], Rules] = {}

    async def check(self, url: URL) -> None:
        """Raise SourceRefused when the page may not be read.

        A host without robots.txt allows all; one that cannot tell is not asked: SourceUnavailable.
        """
        host = origin(url)
        if host not in self._known:
            self._known[host] = await self._read(url)
        if not self._known[host].allow(url.raw_path_qs):
            raise SourceRefused("robots.txt of the host does not allow this page", where=shown(url))

    async def _read(self, url: URL) -> Rules:
        statuses = (200, *range(400, 429), *range(430, 500))
        place = str(url.origin().with_path("/robots.txt"))
        answer = await self._http.get(place, expect=statuses, limit=_MAX_SIZE)
        text = answer.content.decode("utf-8", "replace") if answer.status == 200 else ""
        return Rules(text, self._user_agent)
