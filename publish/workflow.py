"""From draft to publication: check, reserve, package, upload, release, each step journaled.

Every step may be repeated, so a run that was killed goes on where it was: the same key always gives
the same DOI and the same one package.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from parfocal import registry
from parfocal.catalogue import Catalogue
from parfocal.errors import CheckFailed, PublishError
from parfocal.formats import JSON_LD
from parfocal.interfaces import Repository
from parfocal.lock import only_writer
from parfocal.model import Viewer
from parfocal.values import Finding, Publication, Reservation
from publish.checks import Proposal, demand, run_checks
from publish.contents import gather, records_of
from publish.draft import Draft
from publish.package import Package, build

PREFIX = "publish/"
STEPS = ("check", "reserve", "package", "upload", "release")
Tell = Callable[[str, str], None]


class Journal(Struct, frozen=True, kw_only=True):
    """How far the publication of a key has come; ``step`` is the last one that is finished."""

    key: str
    title: str
    target: str
    digest: str
    step: str
    updated: str = ""
    reservation: Reservation | None = None
    package: str = ""
    publication: Publication | None = None

    @property
    def is_done(self) -> bool:
        """Whether the data set is out."""
        return self.publication is not None


def propose(
    catalogue: Catalogue, draft: Draft, viewer: Viewer
) -> tuple[Proposal, tuple[Finding, ...]]:
    """Look at everything that a draft would publish: the proposal, and what checks found."""
    contents = gather(catalogue, draft, viewer)
    proposal = Proposal(draft, contents, catalogue.settings.publish)
    return proposal, run_checks(proposal)


def open_repository(catalogue: Catalogue, target: str) -> Repository:
    """Make a deposit target by the settings; PluginMissing lists what there is."""
    repository: Repository = registry.load("repositories", target)(catalogue.settings.publish)
    return repository


def journals(catalogue: Catalogue) -> tuple[Journal, ...]:
    """Return how far all publications have come, by key."""
    found = catalogue.store.journals(PREFIX)
    return tuple(msgspec.convert(found[name], Journal) for name in sorted(found))


def journal_of(catalogue: Catalogue, key: str) -> Journal | None:
    """Return how far the publication of a key has come; None when it was never begun."""
    found = catalogue.store.journal(PREFIX + key)
    return None if found is None else msgspec.convert(found, Journal)


def publish(
    catalogue: Catalogue,
    draft: Draft,
    viewer: Viewer,
    *,
    target: str = "folder",
    repository: Repository | None = None,
    tell: Tell = lambda step, message: None,
) -> Publication:
    """Publish a draft, or go on where an interrupted run was; what is out already is returned.

    CheckFailed before anything is written, DepositRefused or DepositUnavailable by the target.
    """
    _demand_key(draft)
    folder = catalogue.settings.data_dir / "publish" / draft.key
    with only_writer(folder), _disk(folder):
        used = repository or open_repository(catalogue, target)
        run = _Run(catalogue, draft, viewer, used, target, folder, tell)
        publication = asyncio.run(run.go())
        shutil.rmtree(folder / "package", ignore_errors=True)
    return publication


def _demand_key(draft: Draft) -> None:
    from publish.checks import required

    demand((f for f in required(Proposal(draft)) if f.place == "key"), "draft")


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn the disk's errors into ours."""
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"the disk refused: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="mend it, then run the same command: it goes on where it was",
        ) from error


class _Run:
    """One attempt to publish a draft."""

    def __init__(
        self,
        catalogue: Catalogue,
        draft: Draft,
        viewer: Viewer,
        repository: Repository,
        target: str,
        folder: Path,
        tell: Tell,
    ) -> None:
        self.catalogue = catalogue
        self.draft = draft
        self.viewer = viewer
        self.repository = repository
        self.folder = folder
        self.tell = tell
        self.journal = self._begin(target)

    def _begin(self, target: str) -> Journal:
        """Take up the journal of the key; what was released, or sent elsewhere, is not changed."""
        fresh = Journal(
            key=self.draft.key,
            title=self.draft.title,
            target=target,
            digest=self.draft.digest,
            step="",
        )
        found = journal_of(self.catalogue, self.draft.key)
        if found is None:
            return fresh
        if found.target != target:
            message = f"the key {found.key} was begun with the target {found.target!r}"
            raise CheckFailed(message, hint="go on with that target, or give another key")
        if found.digest == self.draft.digest:
            return found
        if found.is_done:
            message = f"the key {found.key} is published already, and the draft has changed since"
            hint = "give the draft another key and version to publish it as a new data set"
            raise CheckFailed(message, hint=hint)
        if found.step == "upload":
            # A release may have begun: what was uploaded may be out, and must not be replaced.
            message = f"the release of {found.key} was interrupted, and the draft has changed since"
            hint = "undo the changes and run again, then publish them under another key"
            raise CheckFailed(message, hint=hint)
        return msgspec.structs.replace(fresh, reservation=found.reservation)

    def _write(self, step: str, message: str, **changes: Any) -> None:
        self.journal = msgspec.structs.replace(
            self.journal,
            step=step,
            updated=datetime.now(UTC).isoformat(timespec="seconds"),
            **changes,
        )
        state: dict[str, Any] = msgspec.to_builtins(self.journal)
        self.catalogue.store.write_journal(PREFIX + self.journal.key, state)
        self.tell(step, message)

    async def go(self) -> Publication:
        """Do what is not done yet."""
        if self.journal.publication is not None:
            return self.journal.publication
        reservation = self.journal.reservation
        if self.journal.step != "upload" or reservation is None:
            reservation = await self._prepare()
        publication = await self.repository.release(reservation)
        self._write("release", publication.url, publication=publication)
        return publication

    async def _prepare(self) -> Reservation:
        """Do everything that leaves nothing public."""
        proposal, findings = propose(self.catalogue, self.draft, self.viewer)
        demand(findings, self.draft.key)
        self._write("check", f"{len(findings)} warnings")
        reservation = self.journal.reservation or await self.repository.reserve(
            self.draft.key, proposal
        )
        self._write("reserve", reservation.doi or "no DOI", reservation=reservation)
        package = self._build(proposal)
        self._write("package", f"{len(package.files)} files", package=package.digest)
        await self.repository.upload(reservation, package)
        self._write("upload", reservation.identifier)
        return reservation

    def _build(self, proposal: Proposal) -> Package:
        records = records_of(self.catalogue, self.draft.records, self.viewer)
        base = self.catalogue.settings.base_url
        folder = self.folder / "package"
        return build(proposal, records, folder, lambda record: JSON_LD.dump(record, base))
