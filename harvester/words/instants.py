"""Instants as archives write them, compared and moved without losing their form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def read_instant(text: str) -> datetime | None:
    """Read an ISO date or time, of the earth's time when no zone is given; None for anything else.

    >>> read_instant("2024-07-18T18:54:12.932791+00:00").microsecond, read_instant("soon")
    (932791, None)
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        return None


def write_instant(instant: datetime) -> str:
    """Return an instant with microseconds and zone, so that texts sort as instants do.

    >>> write_instant(datetime(2024, 7, 18, tzinfo=UTC))
    '2024-07-18T00:00:00.000000+00:00'
    """
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def earlier(text: str, by: timedelta) -> str:
    """Return an instant some time before; what cannot be read stays as it is.

    >>> earlier("2024-07-18T01:00:00Z", timedelta(hours=1))
    '2024-07-18T00:00:00.000000+00:00'
    """
    found = read_instant(text)
    try:
        return write_instant(found - by) if found else text
    except OverflowError:
        return text
