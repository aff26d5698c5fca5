"""Secrets stand in the environment, a file or the keyring, never in settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from parfocal.errors import ConfigError
from parfocal.secrets import Secret


class Options(BaseModel):
    password: Secret | None = None


def test_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_PASSWORD", "s3cret")
    options = Options(password="env:LAB_PASSWORD")
    assert options.password
    assert options.password.reveal() == "s3cret"
    for text in (repr(options), str(options.password), options.model_dump_json()):
        assert "s3cret" not in text
        assert "env:LAB_PASSWORD" in text


def test_secret_is_read_from_a_file_when_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "password"
    secret = Secret(f"file:{file}")
    with pytest.raises(ConfigError, match="No such file"):
        secret.reveal()
    file.write_text("s3cret\n")
    assert secret.reveal() == "s3cret"
    file.write_bytes(b"\xff\xff")
    with pytest.raises(ConfigError, match="no text"):
        secret.reveal()


def test_secret_of_several_lines_is_refused(tmp_path: Path) -> None:
    """It would end a header, or begin another one."""
    (tmp_path / "token").write_text("abc\r\nX-Evil: 1")
    with pytest.raises(ConfigError, match="one line") as caught:
        Secret(f"file:{tmp_path / 'token'}").reveal()
    assert "Evil" not in str(caught.value)


def test_secret_is_read_from_the_keyring() -> None:
    keyring = pytest.importorskip("keyring")

    class Ring(keyring.backend.KeyringBackend):  # type: ignore[name-defined]
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return {("omero.example", "reader"): "s3cret"}.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

        def delete_password(self, service: str, username: str) -> None:
            raise NotImplementedError

    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    try:
        assert Secret("keyring:omero.example/reader").reveal() == "s3cret"
        with pytest.raises(ConfigError, match="no secret there"):
            Secret("keyring:omero.example/nobody").reveal()
    finally:
        keyring.set_keyring(before)


def test_missing_secret_names_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_PASSWORD", raising=False)
    with pytest.raises(ConfigError) as caught:
        Secret("env:LAB_PASSWORD").reveal()
    assert caught.value.where == "env:LAB_PASSWORD"


@pytest.mark.parametrize("written", ["hunter2", "env:", "password:x", "keyring:only", "", 5, None])
def test_secret_written_out_is_refused_and_not_repeated(written: object) -> None:
    with pytest.raises(ValidationError) as caught:
        BaseModelWithSecret(password=written)
    assert "env:NAME" in str(caught.value) or "keyring:service/user" in str(caught.value)


class BaseModelWithSecret(BaseModel):
    password: Secret
