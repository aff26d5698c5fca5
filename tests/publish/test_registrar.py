"""DOIs: states are read from answers, failures told apart, passwords kept."""

from __future__ import annotations

from typing import Any

import pytest

from parfocal.config import PublishSettings
from parfocal.errors import ConfigError, DepositRefused, DepositUnavailable
from publish.registrar import DataciteRegistrar

DOI = "10.5072/parfocal.x"
METADATA = {
    "creators": [{"name": "Quill, Ada"}],
    "titles": [{"title": "Spindles"}],
    "publisher": {"name": "Example"},
    "publicationYear": "2026",
    "types": {"resourceTypeGeneral": "Dataset"},
}
URL = "https://data.example.org/x/"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def registrar(publish_settings: PublishSettings, waits: list[float]) -> DataciteRegistrar:
    return DataciteRegistrar(publish_settings, wait=waits.append)


def test_life_of_a_doi(registrar: DataciteRegistrar, datacite: Any) -> None:
    assert registrar.state(DOI) == ""
    registrar.reserve(DOI)
    registrar.reserve(DOI)
    assert registrar.state(DOI) == "draft"
    registrar.publish(DOI, METADATA, URL)
    registrar.publish(DOI, METADATA, URL)
    assert registrar.state(DOI) == "findable"
    registrar.discard(DOI)
    assert registrar.state(DOI) == "findable"
    assert list(datacite.dois) == [DOI]


def test_drafts_can_be_discarded(registrar: DataciteRegistrar, datacite: Any) -> None:
    registrar.reserve(DOI)
    registrar.discard(DOI)
    registrar.discard(DOI)
    assert datacite.dois == {}


def test_silently_ignored_event_is_noticed(registrar: DataciteRegistrar, datacite: Any) -> None:
    datacite.ignores_publish = True
    with pytest.raises(DepositRefused, match="instead of findable"):
        registrar.publish(DOI, METADATA, URL)


def test_reasons_of_a_refusal_are_told(registrar: DataciteRegistrar) -> None:
    with pytest.raises(DepositRefused, match=r"422.*creators can't be blank"):
        registrar.publish(DOI, {**METADATA, "creators": []}, URL)


@pytest.mark.parametrize("change", [{"datacite_password": "wrong"}, {"datacite_user": "WRONG"}])
def test_wrong_account_is_told_without_the_password(
    publish_settings: PublishSettings, change: dict[str, str]
) -> None:
    wrong = PublishSettings.model_validate({**publish_settings.model_dump(), **change})
    with pytest.raises(DepositRefused) as caught:
        DataciteRegistrar(wrong).reserve(DOI)
    assert "datacite_user" in caught.value.hint
    assert "Bad credentials" in caught.value.message
    assert "correct horse" not in f"{caught.value!r}{caught.value.hint}"


def test_prefix_of_others_is_refused(registrar: DataciteRegistrar) -> None:
    with pytest.raises(DepositRefused, match="403"):
        registrar.reserve("10.9999/x")


@pytest.mark.parametrize("code", [429, 500, 503])
def test_busy_service_is_asked_again(
    registrar: DataciteRegistrar, datacite: Any, waits: list[float], code: int
) -> None:
    datacite.failures += [code, code]
    registrar.reserve(DOI)
    assert registrar.state(DOI) == "draft"
    assert waits == [1.0, 4.0]


def test_service_that_stays_away_is_named(
    registrar: DataciteRegistrar, datacite: Any, waits: list[float]
) -> None:
    datacite.failures += [503] * 10
    with pytest.raises(DepositUnavailable, match="503") as caught:
        registrar.reserve(DOI)
    assert caught.value.retryable
    assert len(waits) == 3
    datacite.failures.clear()


def test_closed_port_is_unavailable(publish_settings: PublishSettings) -> None:
    nowhere = publish_settings.model_copy(update={"datacite_url": "http://127.0.0.1:9"})
    with pytest.raises(DepositUnavailable):
        DataciteRegistrar(nowhere, wait=lambda seconds: None).reserve(DOI)


def test_password_is_never_sent_in_the_clear(publish_settings: PublishSettings) -> None:
    for address in ("http://api.datacite.org", "ftp://api.datacite.org", "api.datacite.org"):
        with pytest.raises(ConfigError, match="https"):
            DataciteRegistrar(publish_settings.model_copy(update={"datacite_url": address}))
