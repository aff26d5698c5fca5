"""The deposit target ``folder``, with and without DOIs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parfocal.config import PublishSettings
from parfocal.errors import DepositRefused, PublishError
from parfocal.model import Image, Provenance, Record
from parfocal.testing.publishing import RepositoryContract
from publish.checks import Proposal
from publish.contents import Contents, DataFile
from publish.draft import Draft
from publish.package import Package, build
from publish.repositories.folder import Folder


def make(draft: Draft, settings: PublishSettings, folder: Path, *words: str) -> Package:
    files = []
    for word in words:
        source = folder / "files" / word
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(word)
        files.append(DataFile(f"data/{word}", source, len(word)))
    record = Image(id="s:a", provenance=Provenance("s", "a"))  # type: ignore[arg-type]
    proposal = Proposal(draft, Contents(1, 1, tuple(files)), settings)
    stage = folder / ("stage-" + "-".join(words))
    return build(proposal, [record], stage, msgspec_dump)


def msgspec_dump(record: Record) -> bytes:
    return msgspec.json.encode(record)


class TestFolderWithoutDoi(RepositoryContract):
    @pytest.fixture
    def options(self, tmp_path: Path) -> PublishSettings:
        return PublishSettings(folder=tmp_path / "published")

    @pytest.fixture
    def repository(self, options: PublishSettings) -> Folder:
        return Folder(options)

    @pytest.fixture
    def reopened(self, options: PublishSettings) -> Callable[[], Folder]:
        return lambda: Folder(options)

    @pytest.fixture
    def key(self, draft: Proposal) -> str:
        return draft.draft.key

    @pytest.fixture
    def draft(self, options: PublishSettings, draft: Draft) -> Proposal:
        return Proposal(draft, Contents(), options)

    @pytest.fixture
    def package(self, draft: Proposal, options: PublishSettings, tmp_path: Path) -> Package:
        return make(draft.draft, options, tmp_path, "one", "two")

    @pytest.fixture
    def other_package(self, draft: Proposal, options: PublishSettings, tmp_path: Path) -> Package:
        return make(draft.draft, options, tmp_path, "one", "three")

    @pytest.fixture
    def packages(self, options: PublishSettings) -> Callable[[], int]:
        return lambda: len(list(options.folder.glob("[!.]*")))

    def test_nothing_of_another_attempt_stays(
        self, repository: Folder, key: str, draft: Any, package: Package, other_package: Package
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        asyncio.run(repository.upload(reservation, other_package))
        stray = repository.incoming(key) / "data" / "stray"
        stray.symlink_to("/etc/passwd")
        asyncio.run(repository.upload(reservation, package))
        asyncio.run(repository.release(reservation))
        found = {
            path.relative_to(repository.place(key)).as_posix()
            for path in repository.place(key).rglob("*")
            if not path.is_dir()
        }
        assert found == {file.path for file in package.files}

    def test_whole_files_of_an_earlier_attempt_are_kept(
        self, repository: Folder, key: str, draft: Any, package: Package
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        asyncio.run(repository.upload(reservation, package))
        one, two = (repository.incoming(key) / "data" / name for name in ("one", "two"))
        before = one.stat().st_ino, one.stat().st_mtime_ns
        two.write_text("tw")
        asyncio.run(repository.upload(reservation, package))
        assert (one.stat().st_ino, one.stat().st_mtime_ns) == before
        assert two.read_text() == "two"

    def test_changed_and_linked_files_are_refused(
        self, repository: Folder, key: str, draft: Any, package: Package, tmp_path: Path
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        source = tmp_path / "files" / "one"
        source.write_text("eno")
        with pytest.raises(PublishError, match="changed meanwhile"):
            asyncio.run(repository.upload(reservation, package))
        source.unlink()
        source.symlink_to("/etc/passwd")
        with pytest.raises(OSError, match="symbolic"):
            asyncio.run(repository.upload(reservation, package))


class TestFolderWithDoi(TestFolderWithoutDoi):
    @pytest.fixture
    def options(self, publish_settings: PublishSettings) -> PublishSettings:
        return publish_settings

    @pytest.fixture
    def packages(self, options: PublishSettings, datacite: Any) -> Callable[[], int]:
        def count() -> int:
            public = len(list(options.folder.glob("[!.]*")))
            findable = [d for d in datacite.dois.values() if d["state"] == "findable"]
            assert len(findable) == public
            return public

        return count

    def test_doi_is_ours_and_leads_to_the_package(
        self, repository: Folder, key: str, draft: Any, package: Package, datacite: Any
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        assert reservation.doi == f"10.5072/parfocal.{key}"
        assert datacite.dois[reservation.doi]["state"] == "draft"
        asyncio.run(repository.upload(reservation, package))
        publication = asyncio.run(repository.release(reservation))
        assert publication.url == f"https://data.example.org/packages/{key}/"
        registered = datacite.dois[reservation.doi]
        assert registered["url"] == publication.url
        kept = json.loads((repository.place(key) / "datacite.json").read_bytes())
        assert registered["titles"] == kept["titles"]
        assert [path for method, path in datacite.requests if method == "PUT"]

    def test_doi_of_others_is_refused(
        self, repository: Folder, key: str, draft: Any, datacite: Any
    ) -> None:
        datacite.dois[f"10.5072/parfocal.{key}"] = {"state": "findable"}
        with pytest.raises(DepositRefused, match="in use") as caught:
            asyncio.run(repository.reserve(key, draft))
        assert "another key" in caught.value.hint
