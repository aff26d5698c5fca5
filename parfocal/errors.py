"""The error tree.

ParfocalError
├── ConfigError              a setting is missing, unknown or wrong            exit 2
├── PluginMissing            no such plug-in, or its extra is not installed    exit 2
├── SourceError              an archive, file tree or server
│   ├── SourceUnavailable    did not answer; try again later       (retryable) exit 4
│   ├── SourceRefused        answered no: login, permission, terms of use      exit 4
│   └── SourceMalformed      answered something that cannot be read            exit 4
├── OntologyInvalid          an ontology file that cannot be read              exit 2
├── RecordInvalid            a record that breaks the model                    exit 2
├── RecordNotFound           no such record, or not for this viewer   HTTP 404 exit 2
├── QueryInvalid             a query that cannot be understood        HTTP 400 exit 2
├── StoreError               the record store
│   ├── StoreLocked          another process writes               (retryable)  exit 4
│   ├── StoreCorrupt         the file is damaged or is no store                exit 4
│   └── StoreFull            no space is left                                  exit 4
├── IndexUnavailable         a search engine that does not answer (retryable)  HTTP 503 exit 4
├── SparqlRefused            a query that may not run                 HTTP 400 exit 2
├── SparqlTimeout            a query that took too long or too much   HTTP 503 exit 4
└── PublishError             publishing a data set
    ├── CheckFailed          the draft is not fit to publish                   exit 2
    ├── DepositRefused       the target said no                                exit 4
    └── DepositUnavailable   the target did not answer            (retryable)  exit 4
"""

from __future__ import annotations


class ParfocalError(Exception):
    """A failure that a person can act on: what went wrong, where, and what to do next.

    ``status`` is the HTTP status, ``exit_code`` the command's, ``retryable`` says whether the same
    call may succeed later, ``code`` is the stable machine name used in problem details.
    """

    status = 500
    exit_code = 1
    retryable = False
    code = "error"

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        """Return the message with its place, without the hint."""
        return f"{self.where}: {self.message}" if self.where else self.message


class ConfigError(ParfocalError):
    """A setting is missing, unknown or wrong."""

    exit_code = 2
    code = "config-invalid"


class PluginMissing(ParfocalError):
    """No plug-in of that name, or the extra that it needs is not installed."""

    exit_code = 2
    code = "plugin-missing"


class SourceError(ParfocalError):
    """An archive, file tree or server failed."""

    exit_code = 4
    status = 502
    code = "source-error"


class SourceUnavailable(SourceError):
    """The source did not answer; the same request may work later."""

    retryable = True
    code = "source-unavailable"


class SourceRefused(SourceError):
    """The source answered no."""

    code = "source-refused"


class SourceMalformed(SourceError):
    """The source answered something that cannot be read."""

    code = "source-malformed"


class OntologyInvalid(ParfocalError):
    """An ontology file cannot be read."""

    exit_code = 2
    code = "ontology-invalid"


class RecordInvalid(ParfocalError):
    """A record breaks the model."""

    exit_code = 2
    status = 422
    code = "record-invalid"


class RecordNotFound(ParfocalError):
    """There is no such record, or this viewer may not know of it."""

    exit_code = 2
    status = 404
    code = "record-not-found"


class QueryInvalid(ParfocalError):
    """A query cannot be understood; ``position`` and ``length`` point at the place in its text.

    For the JSON form ``where`` holds the JSON pointer of the place instead.
    """

    exit_code = 2
    status = 400
    code = "query-invalid"

    def __init__(
        self, message: str, *, hint: str = "", where: str = "", position: int = -1, length: int = 0
    ) -> None:
        super().__init__(message, hint=hint, where=where)
        self.position = position
        self.length = length


class StoreError(ParfocalError):
    """The record store failed."""

    exit_code = 4
    status = 503
    code = "store-error"


class StoreLocked(StoreError):
    """Another process holds the store."""

    retryable = True
    code = "store-locked"


class StoreCorrupt(StoreError):
    """The store's file is damaged, or is no store."""

    status = 500
    code = "store-corrupt"


class StoreFull(StoreError):
    """No space is left for the store."""

    code = "store-full"


class IndexUnavailable(ParfocalError):
    """The search engine or triple store does not answer."""

    exit_code = 4
    status = 503
    retryable = True
    code = "index-unavailable"


class SparqlRefused(ParfocalError):
    """A SPARQL query cannot be read, or asks for what is not allowed."""

    exit_code = 2
    status = 400
    code = "sparql-refused"


class SparqlTimeout(ParfocalError):
    """A SPARQL query was stopped: it took too long or too much memory."""

    exit_code = 4
    status = 503
    code = "sparql-timeout"


class PublishError(ParfocalError):
    """Publishing a data set failed."""

    exit_code = 4
    code = "publish-error"


class CheckFailed(PublishError):
    """The draft is not fit to publish."""

    exit_code = 2
    status = 422
    code = "check-failed"


class DepositRefused(PublishError):
    """The deposit target said no."""

    status = 502
    code = "deposit-refused"


class DepositUnavailable(PublishError):
    """The deposit target did not answer."""

    status = 502
    retryable = True
    code = "deposit-unavailable"
