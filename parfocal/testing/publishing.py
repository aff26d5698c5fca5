"""The contracts of deposit targets and of checks; subclass them and give the fixtures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from parfocal.errors import ParfocalError
from parfocal.interfaces import Repository
from parfocal.values import Finding


class RepositoryContract:
    """What every deposit target does.

    Fixtures: ``repository``; ``key``; ``draft`` and ``package``, what ``reserve`` and ``upload``
    take; ``other_package``, a package of the same key with other content; ``packages``, a function
    that counts what is public; ``reopened``, a function that makes the repository anew, as after a
    crash.
    """

    @pytest.fixture
    def repository(self) -> Repository:
        raise NotImplementedError("give a fixture 'repository'")

    @pytest.fixture
    def key(self) -> str:
        raise NotImplementedError("give a fixture 'key'")

    @pytest.fixture
    def draft(self) -> Any:
        raise NotImplementedError("give a fixture 'draft'")

    @pytest.fixture
    def package(self) -> Any:
        raise NotImplementedError("give a fixture 'package'")

    @pytest.fixture
    def other_package(self) -> Any:
        raise NotImplementedError("give a fixture 'other_package'")

    @pytest.fixture
    def packages(self) -> Callable[[], int]:
        raise NotImplementedError("give a fixture 'packages'")

    @pytest.fixture
    def reopened(self) -> Callable[[], Repository]:
        raise NotImplementedError("give a fixture 'reopened'")

    def test_nothing_is_public_before_release(
        self,
        repository: Repository,
        key: str,
        draft: Any,
        package: Any,
        packages: Callable[[], int],
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        asyncio.run(repository.upload(reservation, package))
        assert packages() == 0
        publication = asyncio.run(repository.release(reservation))
        assert packages() == 1
        assert publication.doi == reservation.doi
        assert publication.identifier == reservation.identifier
        assert publication.url

    def test_every_call_may_be_repeated(
        self,
        repository: Repository,
        reopened: Callable[[], Repository],
        key: str,
        draft: Any,
        package: Any,
        packages: Callable[[], int],
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        assert asyncio.run(reopened().reserve(key, draft)) == reservation
        asyncio.run(repository.upload(reservation, package))
        asyncio.run(reopened().upload(reservation, package))
        publication = asyncio.run(repository.release(reservation))
        assert asyncio.run(reopened().release(reservation)) == publication
        assert asyncio.run(reopened().reserve(key, draft)) == reservation
        asyncio.run(reopened().upload(reservation, package))
        assert asyncio.run(reopened().release(reservation)) == publication
        assert packages() == 1

    def test_last_upload_before_release_counts(
        self,
        repository: Repository,
        key: str,
        draft: Any,
        package: Any,
        other_package: Any,
        packages: Callable[[], int],
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        asyncio.run(repository.upload(reservation, other_package))
        asyncio.run(repository.upload(reservation, package))
        asyncio.run(repository.release(reservation))
        asyncio.run(repository.upload(reservation, package))
        assert packages() == 1

    def test_what_is_public_is_never_replaced(
        self, repository: Repository, key: str, draft: Any, package: Any, other_package: Any
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        asyncio.run(repository.upload(reservation, package))
        publication = asyncio.run(repository.release(reservation))
        with pytest.raises(ParfocalError) as caught:
            asyncio.run(repository.upload(reservation, other_package))
        assert caught.value.hint
        assert asyncio.run(repository.release(reservation)) == publication

    def test_release_needs_an_upload(
        self, repository: Repository, key: str, draft: Any, packages: Callable[[], int]
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        with pytest.raises(ParfocalError):
            asyncio.run(repository.release(reservation))
        assert packages() == 0

    def test_discard_removes_only_what_is_not_public(
        self,
        repository: Repository,
        reopened: Callable[[], Repository],
        key: str,
        draft: Any,
        package: Any,
        packages: Callable[[], int],
    ) -> None:
        reservation = asyncio.run(repository.reserve(key, draft))
        asyncio.run(repository.upload(reservation, package))
        asyncio.run(repository.discard(reservation))
        asyncio.run(repository.discard(reservation))
        with pytest.raises(ParfocalError):
            asyncio.run(repository.release(reservation))
        again = asyncio.run(reopened().reserve(key, draft))
        asyncio.run(repository.upload(again, package))
        publication = asyncio.run(repository.release(again))
        asyncio.run(repository.discard(again))
        assert packages() == 1
        assert asyncio.run(repository.release(again)) == publication


class CheckContract:
    """What every check does. Fixtures: ``check``, ``good`` and ``bad``, what it is to look at."""

    @pytest.fixture
    def check(self) -> Callable[[Any], Iterable[Finding]]:
        raise NotImplementedError("give a fixture 'check'")

    @pytest.fixture
    def good(self) -> Any:
        raise NotImplementedError("give a fixture 'good'")

    @pytest.fixture
    def bad(self) -> Any:
        raise NotImplementedError("give a fixture 'bad'")

    def test_good_has_no_errors(self, check: Callable[[Any], Iterable[Finding]], good: Any) -> None:
        assert [finding for finding in check(good) if finding.severity == "error"] == []

    def test_bad_is_found_and_can_be_mended(
        self, check: Callable[[Any], Iterable[Finding]], bad: Any
    ) -> None:
        findings = list(check(bad))
        assert any(finding.severity == "error" for finding in findings)
        for finding in findings:
            assert finding.check
            assert finding.place
            assert finding.message
            assert finding.hint

    def test_same_answer_twice(self, check: Callable[[Any], Iterable[Finding]], bad: Any) -> None:
        assert list(check(bad)) == list(check(bad))
