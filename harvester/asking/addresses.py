"""Addresses on the web: which may be asked, who they belong to, how they are shown.

Addresses in harvested content are hostile. Only http and https are followed, without user name
and password, and never into networks that are not public, unless the operator allowed them. What
is checked is the network address that is then connected to, so that a name that changes its
meaning between check and connection gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Collection, Iterator
from functools import lru_cache

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from parfocal.errors import SourceRefused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that carry an IPv4 address in them, and how many bits stand behind it.
_CARRIERS = tuple(
    (ipaddress.IPv6Network(network), behind)
    for network, behind in (
        ("::/96", 0),
        ("::ffff:0:0/96", 0),
        ("::ffff:0:0:0/96", 0),
        ("64:ff9b::/96", 0),
        ("2002::/16", 80),
        ("2001::/32", 64),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_TEREDO = ipaddress.IPv6Network("2001::/32")
# Not public, although Python calls some of it global.
_CLOSED = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b:1::/48", "fec0::/10", "100.64.0.0/10", "192.88.99.0/24", "3fff::/20")
)
_SECRET_WORD = re.compile(
    r"(?i)(pass|pwd|secret|token|(?<!max-)key|auth|credential|signature|^sig$|session|ticket|code$|^jwt)"
)
_MASK = "***"
_USER = re.compile(r"(?<=//)[^/?#\s]*@|^[^/?#\s]*:[^/?#\s]*@")


class AddressRefused(SourceRefused):
    """An address that may not be asked."""


def origin(url: URL) -> tuple[str, str, int]:
    """Return scheme, host and port of an address."""
    return (url.scheme, url.host or "", url.port or 0)


def shown(url: URL | str) -> str:
    """Return an address fit for messages: no user, no secrets in its query, not too long.

    >>> shown("https://me:word@archive.example/a?page=2&apikey=abc")
    'https://archive.example/a?page=2&apikey=***'
    """
    try:
        address = URL(url) if isinstance(url, str) else url
        clean = address.with_user(None).with_fragment(None) if address.host else address
        masked = [
            (name, _MASK if _SECRET_WORD.search(name) else value)
            for name, value in clean.query.items()
        ]
        text = str(clean.with_query(masked)) if masked else str(clean)
    except ValueError:
        text = "an address that cannot be read"
    text = _USER.sub("", text.replace("%2A%2A%2A", _MASK))
    return text if len(text) <= 300 else text[:297] + "..."


@lru_cache(maxsize=1024)
def _check_name(host: str) -> None:
    """Raise ValueError for a name that no host can have."""
    host.encode("idna")


def parse_address(text: str | URL) -> URL:
    """Return an address that may be asked as far as its words tell, or raise AddressRefused."""
    try:
        url = URL(text) if isinstance(text, str) else text
        host, port = url.host, url.port
        _check_name(url.raw_host or "")
    except ValueError as error:
        raise AddressRefused("is no address", where=shown(str(text))) from error
    if url.scheme not in ("http", "https") or not host or not port:
        raise AddressRefused("is no http address", where=shown(url))
    if url.user is not None or url.password is not None:
        raise AddressRefused("an address with user name or password is not used", where=shown(url))
    return url.with_fragment(None) if url.raw_fragment else url


def _carried(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """Yield the IPv4 addresses within an IPv6 address."""
    for network, behind in _CARRIERS:
        if address in network:
            yield ipaddress.IPv4Address(int(address) >> behind & 0xFFFFFFFF)
    if address in _TEREDO:
        yield ipaddress.IPv4Address(~int(address) & 0xFFFFFFFF)


def _faces(text: str) -> list[_Address]:
    """Return what a network address is, and the IPv4 addresses that it leads to, too."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner = list(_carried(address))
    # These are that IPv4 address and nothing else.
    return [*inner] if address.ipv4_mapped or address in _NAT64 else [address, *inner]


def _is_public(address: _Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not any(address in network for network in _CLOSED)
    )


def may_connect(text: str, allowed: Collection[Network] = ()) -> bool:
    """Whether a network address is public, or in a network that the operator allowed.

    >>> may_connect("169.254.169.254"), may_connect("::ffff:10.0.0.1"), may_connect("8.8.8.8")
    (False, False, True)
    """
    first, *others = _faces(text)
    if any(first in network for network in allowed):
        return True
    return all(_is_public(face) for face in (first, *others))


class Guard(AbstractResolver):
    """Finds the network addresses of hosts and lets only those through that may be asked.

    ``trusted`` are pairs of host and port that the operator named: those may lie anywhere.
    """

    def __init__(self, trusted: Collection[tuple[str, int]], allowed: Collection[Network]) -> None:
        self._trusted = trusted
        self._allowed = allowed

    def check_literal(self, url: URL) -> None:
        """Raise AddressRefused when the host is a network address that may not be asked."""
        host = url.host or ""
        if (host, url.port or 0) in self._trusted or not _is_literal(host):
            return
        if not may_connect(host, self._allowed):
            raise _refusal(host)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the network addresses of a host; AddressRefused when any may not be asked."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        if (host, port) not in self._trusted:
            for *_, place in found:
                if not may_connect(str(place[0]), self._allowed):
                    raise _refusal(host)
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, place in found
        ]

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refusal(host: str) -> AddressRefused:
    return AddressRefused(
        "leads into a network that is not public",
        where=host,
        hint="allow_networks of the source names networks of your own that may be asked",
    )
