"""Signing in: cookies that cannot be used elsewhere, forms that cannot be forged."""

from __future__ import annotations

import re
import stat

import pytest

from api.app import create_app
from api.viewers import COOKIE, FORM_COOKIE, Door, open_door
from parfocal.catalogue import Catalogue


def sign_of(client) -> str:
    return re.search(r'name="sign" value="([^"]+)"', client.get("/sign-in").text).group(1)


def enter(client, token: str, following: str = "/"):
    data = {"sign": sign_of(client), "token": token, "next": following}
    return client.post("/sign-in", data=data)


def test_a_member_signs_in_and_out(client, samples):
    answer = enter(client, samples.TOKEN, "/?q=SECRETGENE")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?q=SECRETGENE")
    assert client.get("/api/v1/search?q=SECRETGENE").json["total"] == 2
    page = client.get("/?q=SECRETGENE", headers={"Accept": "text/html"}).text
    assert "because you are in group lab" in page
    assert client.post("/sign-out", data={"sign": sign_of(client)}).status_code == 303
    assert client.get("/api/v1/search?q=SECRETGENE").json["total"] == 0


def test_cookies_are_out_of_reach(client, samples):
    cookies = [*client.get("/sign-in").headers.getlist("Set-Cookie")]
    cookies += enter(client, samples.TOKEN).headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {COOKIE, FORM_COOKIE}
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert samples.TOKEN not in cookie


def test_a_wrong_token_is_told_without_a_session(client):
    answer = enter(client, "not the token")
    assert answer.status_code == 403
    assert "not known here" in answer.text
    assert client.get_cookie(COOKIE) is None


@pytest.mark.parametrize("sign", ["", "forged", "x.y.z"])
def test_a_forged_form_is_refused(client, samples, sign):
    client.get("/sign-in")
    answer = client.post("/sign-in", data={"sign": sign, "token": samples.TOKEN})
    assert answer.status_code == 403
    assert client.get_cookie(COOKIE) is None


def test_a_form_of_another_browser_is_refused(app, samples):
    sign = sign_of(app.test_client())
    other = app.test_client()
    other.get("/sign-in")
    assert other.post("/sign-in", data={"sign": sign, "token": samples.TOKEN}).status_code == 403


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1", ""]
)
def test_one_is_never_sent_elsewhere(client, samples, elsewhere):
    assert enter(client, samples.TOKEN, elsewhere).headers["Location"] == "/"


def test_a_forged_or_foreign_session_is_nobody(client, samples):
    stranger = Door(samples.SETTINGS.server.viewers, b"another secret")
    for value in ("forged", "a.b.c", stranger.session(samples.TOKEN)):
        client.set_cookie(COOKIE, value)
        assert client.get("/api/v1/search?q=SECRETGENE").json["total"] == 0


def test_the_secret_is_kept_for_its_owner_alone(tmp_path, samples):
    settings = samples.SETTINGS.model_copy(update={"data_dir": tmp_path})
    first, second = open_door(settings), open_door(settings)
    key = tmp_path / "session.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert second.by_session(first.session(samples.TOKEN)).name == "Ada of the lab"
    assert [path.name for path in tmp_path.iterdir()] == ["session.key"]


def test_nothing_is_written_where_nobody_can_sign_in(tmp_path):
    with Catalogue.in_memory() as catalogue:
        client = create_app(catalogue).test_client()
        assert "Nobody can sign in here yet" in client.get("/sign-in").text
