"""Objects of a bucket through obstore: faster, for a service of one's own.

obstore follows redirects as it likes and does not heed ``Retry-After``. So it is used only when the
settings say so, asks for each object once, within the limits to the host, and leaves everything but
a good answer to :class:`~harvester.asking.http.Http`. Hosts other than the service's are cut off.
"""

from __future__ import annotations

from typing import Any

from yarl import URL

from harvester.asking.connection import host_name
from harvester.asking.politeness import HOSTS, Limits
from harvester.s3.options import S3Options
from parfocal.interfaces import Walk
from parfocal.registry import missing_extra

_NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: what is not asked of the service itself goes there and ends."""


class Unsure(Exception):
    """No good answer; ask again in the careful way."""


class FastObjects:
    """Asks obstore; between ``open`` and ``close`` the limits hold."""

    def __init__(self, options: S3Options, walk: Walk) -> None:
        try:
            import obstore
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ModuleNotFoundError as error:
            raise missing_extra(error, "the engine obstore") from error
        self._obstore = obstore
        self._failures = (BaseError, ValueError, OSError)
        self._walk = walk
        self._host = host_name(URL(options.bucket_address()))
        self._limits = Limits(options.concurrency, options.rate)
        self._store = S3Store(options.bucket, **_settings(options))

    def open(self) -> None:
        """Let the limits hold."""
        HOSTS.join(self._host, self._limits)

    def close(self) -> None:
        """End what ``open`` began."""
        HOSTS.leave(self._host, self._limits)

    async def get(self, path: str, most: int) -> tuple[bytes, str] | None:
        """Return an object and its ETag; None when there is none. Raises Unsure."""
        async with HOSTS.turn(self._host):
            try:
                result = await self._obstore.get_async(self._store, path)
                meta = result.meta
                if meta["size"] > most:
                    raise Unsure
                content = bytes(await result.bytes_async())
            except FileNotFoundError:
                self._walk.answered(0)
                return None
            except self._failures as error:
                raise Unsure from error
        self._walk.answered(len(content))
        return content, (meta["e_tag"] or "").strip('"')

    async def stamp(self, path: str) -> str | None:
        """Return an object's ETag; None when there is none. Raises Unsure."""
        async with HOSTS.turn(self._host):
            try:
                meta = await self._obstore.head_async(self._store, path)
            except FileNotFoundError:
                self._walk.answered(0)
                return None
            except self._failures as error:
                raise Unsure from error
        self._walk.answered(0)
        return (meta["e_tag"] or "").strip('"')


def _settings(options: S3Options) -> dict[str, Any]:
    client: dict[str, Any] = {
        "allow_http": options.url.startswith("http:"),
        "timeout": f"{int(options.timeout * 1000)}ms",
        "user_agent": options.user_agent,
        "proxy_url": _NOWHERE,
        "proxy_excludes": URL(options.bucket_address()).host or "",
    }
    if options.ca_file is not None:
        client["root_certificate"] = options.ca_file.read_bytes()
    settings: dict[str, Any] = {
        "endpoint": options.url if options.path_style else options.bucket_address(),
        "region": options.region,
        "virtual_hosted_style_request": not options.path_style,
        "client_options": client,
        "retry_config": {"max_retries": 0},
    }
    keys = options.keys()
    if keys is None:
        return settings | {"skip_signature": True}
    named = {"access_key_id": keys.access, "secret_access_key": keys.secret}
    return settings | named | ({"session_token": keys.token} if keys.token else {})
