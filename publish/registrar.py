"""DOIs by DataCite's REST interface: upserts with our own suffix, states read from every answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol, cast
from urllib.parse import urlsplit

from parfocal.config import PublishSettings
from parfocal.errors import ConfigError, DepositRefused, DepositUnavailable
from parfocal.registry import missing_extra

State = Literal["", "draft", "registered", "findable"]
TIMEOUT = (10.0, 60.0)
ATTEMPTS = 4
MAX_ANSWER = 10_000_000
_WAIT = 1.0
_LATER = (408, 425, 429, 500, 502, 503, 504)


class Registrar(Protocol):
    """Makes DOIs; every call may be repeated and does nothing twice."""

    def state(self, doi: str) -> State:
        """Return the state of a DOI; "" when there is none."""
        ...

    def reserve(self, doi: str) -> None:
        """Make a draft DOI, or leave an existing one as it is."""
        ...

    def publish(self, doi: str, metadata: dict[str, Any], url: str) -> None:
        """Make the DOI findable, with these metadata and this address."""
        ...

    def discard(self, doi: str) -> None:
        """Remove a DOI that is still a draft."""
        ...


class DataciteRegistrar:
    """The registrar at a DataCite REST address.

    Traps of the service that this meets: PUT answers 201 when it creates; an impossible or misspelt
    event is ignored silently, so that only the state in the answer tells.
    """

    def __init__(
        self, settings: PublishSettings, wait: Callable[[float], None] = time.sleep
    ) -> None:
        try:
            from datacite import DataCiteRESTClient
        except ModuleNotFoundError as error:
            raise missing_extra(error, "a DOI") from error
        _demand_safe(settings.datacite_url)
        self._client = DataCiteRESTClient(
            settings.datacite_user,
            settings.datacite_password.get_secret_value(),
            settings.doi_prefix,
            url=settings.datacite_url,
            timeout=TIMEOUT,
        )
        self._wait = wait
        self._where = settings.datacite_url

    def state(self, doi: str) -> State:
        """Return the state of a DOI; "" when there is none."""
        code, answer = self._ask("get", doi)
        if code == 404:
            return ""
        return self._state(code, answer)

    def reserve(self, doi: str) -> None:
        """Make a draft DOI, or leave an existing one as it is."""
        if not self.state(doi):
            self._state(*self._ask("put", doi, {"doi": doi}))

    def publish(self, doi: str, metadata: dict[str, Any], url: str) -> None:
        """Make the DOI findable; DepositRefused when the answer says that it is not."""
        attributes = {**metadata, "doi": doi, "url": url, "event": "publish"}
        state = self._state(*self._ask("put", doi, attributes))
        if state != "findable":
            raise DepositRefused(
                f"DataCite left {doi} in the state {state!r} instead of findable",
                where=self._where,
                hint="look at the DOI in DataCite Fabrica, then run the command again",
            )

    def discard(self, doi: str) -> None:
        """Remove a DOI that is still a draft; others stay."""
        if self.state(doi) == "draft":
            code, answer = self._ask("delete", doi)
            if code not in (204, 404):
                raise self._refused(code, answer)

    def _ask(
        self, method: str, doi: str, attributes: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Send a request, again after a pause when the service asks for it: status and JSON."""
        problem = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._wait(_WAIT * 4 ** (attempt - 1))
            code, content = self._send(method, doi, attributes)
            if code and code not in _LATER:
                return code, _read(content)
            problem = f"it answered {code}" if code else content
        raise DepositUnavailable(
            f"DataCite does not answer: {problem}",
            where=self._where,
            hint="run the same command later; it goes on where it was",
        )

    def _send(self, method: str, doi: str, attributes: dict[str, Any] | None) -> tuple[int, str]:
        from datacite.errors import HttpError

        headers = {"content-type": "application/vnd.api+json"}
        request = self._client._create_request()
        try:
            if attributes is None:
                answer = getattr(request, method)(f"dois/{doi}", headers=headers)
            else:
                body = json.dumps({"data": {"type": "dois", "attributes": attributes}})
                answer = request.put(f"dois/{doi}", body=body, headers=headers)
        except HttpError as error:
            return 0, str(error)[:200]
        return answer.status_code, answer.text[:MAX_ANSWER]

    def _state(self, code: int, answer: Any) -> State:
        if code not in (200, 201):
            raise self._refused(code, answer)
        try:
            return cast("State", str(answer["data"]["attributes"]["state"]))
        except (KeyError, TypeError) as error:
            raise DepositUnavailable(
                "DataCite's answer cannot be read",
                where=self._where,
                hint="check [publish] datacite_url",
            ) from error

    def _refused(self, code: int, answer: Any) -> DepositRefused:
        errors = answer.get("errors") if isinstance(answer, dict) else None
        titles = "; ".join(
            f"{error.get('source', '')} {error.get('title', '')}".strip()
            for error in errors or ()
            if isinstance(error, dict)
        )
        hint = "mend the draft as it says, then run the command again"
        if code in (401, 403):
            hint = "check datacite_user, datacite_password and doi_prefix in [publish]"
        return DepositRefused(
            f"DataCite refused ({code}): {titles[:500] or 'no reason given'}",
            where=self._where,
            hint=hint,
        )


def _read(content: str) -> Any:
    try:
        return json.loads(content) if content else {}
    except (ValueError, RecursionError):
        return {}


def _demand_safe(url: str) -> None:
    """Refuse to send a password in the clear to anything but this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost"):
        return
    raise ConfigError(
        "the address of DataCite has to begin with https://",
        where="publish.datacite_url",
        hint='write datacite_url = "https://api.datacite.org"',
    )
