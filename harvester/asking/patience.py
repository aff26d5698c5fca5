"""What servers say about waiting: ``Retry-After`` and the headers of rate limits."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

PATIENCE = 3700.0
"""Seconds that are waited for a server (limits are often by the hour); longer ends the walk."""
_LONGEST = 86400.0
_EPOCH_BEGINS = 1_000_000_000
_REMAINING = ("x-ratelimit-remaining", "ratelimit-remaining", "x-rate-limit-remaining")
_RESET = ("x-ratelimit-reset", "ratelimit-reset", "x-rate-limit-reset")
_LIMIT_PART = re.compile(r"(?:^|[;,\s])([rt])=(\d{1,9})\b")


def wait_asked(status: int, headers: Mapping[str, str]) -> float:
    """Return the seconds for which a host wants no further request; 0 when it says nothing.

    ``Retry-After`` counts for a refusal (403, 429, 5xx), in seconds or as a date; the latter is
    taken by the server's own clock, as ours may be wrong. A spent rate limit counts always.
    """
    wait = 0.0
    if status in (403, 429) or status >= 500:
        wait = _retry_after(headers.get("retry-after", ""), _server_time(headers))
    return min(_LONGEST, max(wait, _until_reset(headers)))


def _server_time(headers: Mapping[str, str]) -> float:
    told = _date(headers.get("date", ""))
    return time.time() if told is None else told


def _date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if re.fullmatch(r"\d{1,15}(\.\d{1,9})?", text) else None


def _retry_after(text: str, now: float) -> float:
    seconds = _number(text)
    if seconds is not None:
        return seconds
    moment = _date(text)
    return 0.0 if moment is None else max(0.0, moment - now)


def _until_reset(headers: Mapping[str, str]) -> float:
    left = _first(headers, _REMAINING)
    reset = _first(headers, _RESET)
    if left is None:
        parts = dict(_LIMIT_PART.findall(headers.get("ratelimit", "")))
        left, reset = _number(parts.get("r", "")), _number(parts.get("t", ""))
    if left is None or left > 0 or reset is None:
        return 0.0
    if reset > _EPOCH_BEGINS:
        return max(0.0, reset - _server_time(headers))
    return reset


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for name in names:
        if name in headers:
            return _number(headers[name])
    return None
