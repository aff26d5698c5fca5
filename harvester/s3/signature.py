"""Signatures of requests to S3 (AWS Signature Version 4, without body); pure."""

from __future__ import annotations

import datetime
import hashlib
import hmac
from urllib.parse import quote

from msgspec import Struct
from yarl import URL

_ALGORITHM = "AWS4-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()


class Keys(Struct, frozen=True):
    """Credentials for one service; never printed."""

    access: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        """Hide what must not be seen."""
        return "Keys(***)"


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _mac(key, part)
    return key


def _query(url: URL) -> str:
    pairs = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in url.query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def signed(
    method: str, url: URL, headers: dict[str, str], keys: Keys, region: str, now: datetime.datetime
) -> dict[str, str]:
    """Return the headers of a request with those that sign it at a moment in UTC.

    >>> moment = datetime.datetime(2013, 5, 24, tzinfo=datetime.UTC)
    >>> held = signed("GET", URL("https://h.example/b/k"), {}, Keys("id", "word"), "eu", moment)
    >>> held["x-amz-date"], held["Authorization"][:43]
    ('20130524T000000Z', 'AWS4-HMAC-SHA256 Credential=id/20130524/eu/')
    """
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    own = {"x-amz-content-sha256": _NO_BODY, "x-amz-date": moment}
    if keys.token:
        own["x-amz-security-token"] = keys.token
    host = url.host_port_subcomponent or ""
    covered = {"host": host, **own}
    names = sorted(covered)
    canonical = "\n".join(
        (
            method,
            quote(url.path, safe="/-_.~"),
            _query(url),
            *(f"{name}:{covered[name].strip()}" for name in names),
            "",
            ";".join(names),
            _NO_BODY,
        )
    )
    day = moment[:8]
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((_ALGORITHM, moment, scope, digest))
    signature = _mac(_signing_key(keys.secret, day, region), text).hex()
    authorization = (
        f"{_ALGORITHM} Credential={keys.access}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return {**headers, **own, "Authorization": authorization}
