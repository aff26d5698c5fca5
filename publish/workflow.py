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
from parfocal.errors import CheckFailed, PluginMissing, PublishError
from parfocal.formats import JSON_LD
from parfocal.interfaces import Repository, SupportsVerify
from parfocal.lock import only_writer
from parfocal.model import Viewer
from parfocal.values import Finding, Publication, Reservation
from publish.checks import Proposal, demand, run_checks
from publish.contents import gather, records_of
from publish.draft import Draft
from publish.package import Package, build

PREFIX = "publish/"
STEPS = ("check", "reserve", "package", "upload", "release")
_NAMED = 10
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
    refused = _refusal(journal_of(catalogue, draft.key), draft)
    if refused is None:
        return proposal, run_checks(proposal)
    finding = Finding("published", "key", refused.message, refused.hint, "error")
    return proposal, (finding, *run_checks(proposal))


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


def state_of(catalogue: Catalogue, journal: Journal) -> str:
    """Say how far a publication has come: after a step, published, and then missing or altered.

    What was published is looked at where the target can do so, which reads all its files.
    """
    if journal.publication is None:
        return f"after {journal.step}"
    try:
        repository = open_repository(catalogue, journal.target)
    except PluginMissing:
        return "published"
    with _disk(catalogue.settings.publish.folder):
        wrong = asyncio.run(_verified(repository, journal))
    if wrong is None:
        return "missing"
    return "altered" if wrong else "published"


async def _verified(repository: Repository, journal: Journal) -> tuple[str, ...] | None:
    """Return what is wrong with a published package; None when it is gone."""
    if journal.reservation is None or not isinstance(repository, SupportsVerify):
        return ()
    return await repository.verify(journal.reservation, journal.package)


def _refusal(found: Journal | None, draft: Draft) -> CheckFailed | None:
    """Say why a draft may no longer be published under its key, by how far that has come."""
    if found is None or found.digest == draft.digest:
        return None
    if found.is_done:
        message = f"the key {found.key} is published already, and the draft has changed since"
        hint = "give the draft another key and version to publish it as a new data set"
        return CheckFailed(message, hint=hint)
    if found.step == "upload":
        # A release may have begun: what was uploaded may be out, and must not be replaced.
        message = f"the release of {found.key} was interrupted, and the draft has changed since"
        hint = "undo the changes and run again, then publish them under another key"
        return CheckFailed(message, hint=hint)
    return None


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

    A published package that is gone is built again under its key and DOI; PublishError when one was
    altered. CheckFailed before anything is written, DepositRefused or DepositUnavailable by the
    target.
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
        refused = _refusal(found, self.draft)
        if refused is not None:
            raise refused
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
        if self.journal.publication is not None and self.journal.step == "release":
            if await self._is_there():
                return self.journal.publication
            self.tell("restore", "the published package is gone; it is built again")
        reservation = self.journal.reservation
        if self.journal.step != "upload" or reservation is None:
            reservation = await self._prepare()
        publication = await self.repository.release(reservation)
        self._write("release", publication.url, publication=publication)
        return publication

    async def _is_there(self) -> bool:
        """Whether the published package is still at the target; PublishError when altered."""
        wrong = await _verified(self.repository, self.journal)
        if wrong:
            more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
            raise PublishError(
                f"the published package was altered: {', '.join(wrong[:_NAMED])}{more}",
                where=self.journal.publication.url if self.journal.publication else "",
                hint="bring these files back from a backup, or move the package away"
                " and run the same command: it is built again",
            )
        return wrong is not None

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
