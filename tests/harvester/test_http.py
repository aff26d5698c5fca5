"""Asking servers: what is asked again and what not, bounds, redirects, logins, credentials."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, TypeVar

import pytest
from yarl import URL

from harvester.asking.answers import Answer, unless
from harvester.asking.connection import Request
from harvester.asking.http import Http, HttpOptions
from harvester.asking.politeness import HOSTS
from parfocal import __version__
from parfocal.errors import (
    ConfigError,
    SourceError,
    SourceMalformed,
    SourceRefused,
    SourceUnavailable,
)
from parfocal.testing.loopback import KINDS, Asked, Fault, Given, Loopback, given_json, serve
from parfocal.testing.sources import Visit

T = TypeVar("T")
FAST: dict[str, Any] = {"rate": 0, "retry_wait": 0.001, "retries": 2, "timeout": 5}


class Site:
    """Answers by path; what it does not know is 404."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[Asked], Given] | Given] = {
            "/": given_json({"hello": "world"})
        }

    def answer(self, asked: Asked) -> Given:
        page = self.pages.get(asked.path, Given(404))
        return page if isinstance(page, Given) else page(asked)


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def server(site: Site) -> Iterator[Loopback]:
    with serve(site) as loopback:
        yield loopback


def ask(
    server: Loopback,
    asking: Callable[[Http], Awaitable[T]],
    *,
    walk: Visit | None = None,
    login: Any = None,
    **options: Any,
) -> T:
    async def run() -> T:
        chosen = HttpOptions(**{"url": server.url, **FAST, **options})
        async with Http(chosen, walk or Visit(), login=login) as http:
            return await asking(http)

    return asyncio.run(run())


def text(content: bytes = b"", status: int = 200, *headers: tuple[str, str]) -> Given:
    return Given(status, content, "text/plain", headers)


def redirect(to: str, status: int = 302) -> Given:
    return Given(status, headers=(("Location", to),))


# ------------------------------------------------------------------ what is asked again


@pytest.mark.parametrize("kind", ["500", "502", "503", "429", "reset", "truncated"])
def test_failure_that_passes_is_not_noticed(server: Loopback, kind: str) -> None:
    server.faults.append(Fault(kind, times=2))
    answer = ask(server, lambda http: http.get(server.url))
    assert answer.json() == {"hello": "world"}
    assert len(server.asked) == 3


@pytest.mark.parametrize("kind", ["500", "503", "429", "reset"])
def test_failure_that_lasts_is_unavailable(server: Loopback, kind: str) -> None:
    server.faults.append(Fault(kind, times=100))
    with pytest.raises(SourceUnavailable) as caught:
        ask(server, lambda http: http.get(server.url + "/"))
    assert caught.value.retryable
    assert caught.value.where == server.url + "/"
    assert len(server.asked) == 1 + FAST["retries"]


def test_answer_that_stays_cut_off_is_malformed(server: Loopback) -> None:
    server.faults.append(Fault("truncated", times=100))
    with pytest.raises(SourceMalformed):
        ask(server, lambda http: http.get(server.url))
    assert len(server.asked) == 1 + FAST["retries"]


@pytest.mark.parametrize("status", [400, 404, 410, 501])
def test_refusal_is_not_asked_again(server: Loopback, site: Site, status: int) -> None:
    site.pages["/no"] = Given(status)
    with pytest.raises(SourceRefused, match=str(status)):
        ask(server, lambda http: http.get(f"{server.url}/no"))
    assert len(server.asked) == 1


def test_expected_status_is_an_answer(server: Loopback) -> None:
    assert ask(server, lambda http: http.get(f"{server.url}/no", expect=(200, 404))).status == 404


def test_server_that_is_not_there_is_unavailable(server: Loopback) -> None:
    with pytest.raises(SourceUnavailable, match="reached"):
        ask(server, lambda http: http.get("http://127.0.0.1:1/"), url="http://127.0.0.1:1/")


def test_check_makes_a_page_of_html_ask_again(server: Loopback) -> None:
    server.faults.append(Fault("html", times=1))
    answer = ask(server, lambda http: http.get(server.url, check=Answer.json))
    assert answer.json() == {"hello": "world"}
    server.faults.append(Fault("html", times=100))
    with pytest.raises(SourceMalformed) as caught:
        ask(server, lambda http: http.get(server.url, check=Answer.json))
    assert "HTML" in caught.value.hint


def test_post_that_may_have_arrived_is_not_sent_again(server: Loopback, site: Site) -> None:
    site.pages["/jobs"] = given_json({}, 201)
    for kind in ("500", "reset"):
        server.faults[:] = [Fault(kind, times=9)]
        server.asked.clear()
        with pytest.raises(SourceUnavailable):
            ask(server, lambda http: http.post(f"{server.url}/jobs", json={"a": 1}))
        assert len(server.asked) == 1


@pytest.mark.parametrize(("kind", "search"), [("429", False), ("reset", True), ("500", True)])
def test_post_that_did_not_arrive_or_only_searches_is_sent_again(
    server: Loopback, site: Site, kind: str, search: bool
) -> None:
    site.pages["/jobs"] = lambda asked: given_json(json.loads(asked.body))
    server.faults.append(Fault(kind))
    answer = ask(
        server,
        lambda http: http.post(f"{server.url}/jobs", json={"a": 1}, repeatable=search),
    )
    assert answer.json() == {"a": 1}
    assert len(server.asked) == 2


def test_forms_and_parameters_arrive_as_they_were(server: Loopback, site: Site) -> None:
    site.pages["/form"] = lambda asked: Given(content=asked.body, media_type="text/plain")
    odd = "a&b=c d+é%2F"
    body = ask(server, lambda http: http.post(f"{server.url}/form", form={"x": odd})).content
    site.pages["/"] = lambda asked: given_json(asked.query)
    query = ask(server, lambda http: http.get(f"{server.url}/?y=1", params=[("x", odd)])).json()
    assert query == {"y": ["1"], "x": [odd]}
    assert body == b"x=a%26b%3Dc+d%2B%C3%A9%252F"


# ------------------------------------------------------------------ what servers ask for


def held(server: Loopback) -> float:
    return HOSTS.held(server.url.removeprefix("http://"))


def refuse_for_long(site: Site, status: int, *headers: tuple[str, str]) -> None:
    site.pages["/busy"] = text(b"", status, *headers)


YEARS = 3 * 365 * 86400


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, [("Retry-After", "7200")], 7200),
        (503, [("Retry-After", "7200")], 7200),
        (429, [("Retry-After", "+7200")], None),
        (
            429,
            [
                ("Date", formatdate(time.time() + YEARS, usegmt=True)),
                ("Retry-After", formatdate(time.time() + YEARS + 7200, usegmt=True)),
            ],
            7200,
        ),
        (200, [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "7200")], 7200),
        (200, [("RateLimit-Remaining", "0"), ("RateLimit-Reset", "7200")], 7200),
        (200, [("RateLimit", '"hour";r=0;t=7200')], 7200),
        (200, [("X-RateLimit-Remaining", "1"), ("X-RateLimit-Reset", "7200")], None),
        (
            200,
            [
                ("Date", formatdate(time.time() - YEARS, usegmt=True)),
                ("X-RateLimit-Remaining", "0"),
                ("X-RateLimit-Reset", str(int(time.time() - YEARS + 7200))),
            ],
            7200,
        ),
        (403, [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "7200")], 7200),
        (429, [("Retry-After", "99999999999")], 86400),
        (429, [("Retry-After", "soon")], None),
        (429, [("Retry-After", formatdate(0, usegmt=True))], None),
        (200, [("Retry-After", "7200")], None),
    ],
)
def test_host_is_left_alone_as_long_as_it_wants(
    server: Loopback,
    site: Site,
    status: int,
    headers: list[tuple[str, str]],
    seconds: int | None,
) -> None:
    refuse_for_long(site, status, *headers)
    before = time.monotonic()
    told = "left alone" if seconds else "busy"
    with contextlib.nullcontext() if status == 200 else pytest.raises(SourceError, match=told):
        ask(server, lambda http: http.get(f"{server.url}/busy"))
    passed = time.monotonic() - before
    left = held(server)
    if seconds is None:
        assert left == 0
        return
    assert seconds - passed - 2 <= left <= seconds + 2
    asked = len(server.asked)
    with pytest.raises(SourceUnavailable, match="left alone"):
        ask(server, lambda http: http.get(server.url))
    assert len(server.asked) == asked, "it was asked although it wants to be left alone"


def test_busy_host_is_spared_by_everybody(server: Loopback) -> None:
    """Also when it does not tell for how long: who asks next waits as well."""
    server.faults.append(Fault("429"))

    async def first(http: Http) -> float:
        asking = asyncio.ensure_future(http.get(server.url))
        while not held(server):
            await asyncio.sleep(0.001)
        asking.cancel()
        return held(server)

    assert ask(server, first, retry_wait=600) > 0
    assert len(server.asked) == 1


def test_refusal_for_a_second_is_waited_for(server: Loopback) -> None:
    server.faults.append(Fault("429-retry-after"))
    ask(server, lambda http: http.get(server.url))
    first, second = (asked.at for asked in server.asked)
    assert second - first >= 0.95


# ------------------------------------------------------------------ bounds


def test_answer_larger_than_the_bound_is_refused(server: Loopback, site: Site) -> None:
    site.pages["/big"] = Given(content=b"x" * 5000, media_type="text/plain")
    assert len(ask(server, lambda http: http.get(f"{server.url}/big", limit=5000)).content) == 5000
    with pytest.raises(SourceMalformed, match="larger"):
        ask(server, lambda http: http.get(f"{server.url}/big", limit=4999))
    assert len(server.asked) == 2


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_packed_answers_are_unpacked_within_the_bound(
    server: Loopback, site: Site, pack: Callable[[bytes], bytes]
) -> None:
    packed = Given(
        content=pack(b"y" * 40_000_000),
        media_type="text/plain",
        headers=(("Content-Encoding", "gzip" if pack is gzip.compress else "deflate"),),
    )
    assert len(packed.content) < 60_000
    site.pages["/bomb"] = packed
    walk = Visit()
    with pytest.raises(SourceMalformed, match="larger"):
        ask(server, lambda http: http.get(f"{server.url}/bomb"), max_mb=1, walk=walk)
    assert len(server.asked) == 1
    whole = ask(server, lambda http: http.get(f"{server.url}/bomb"), walk=walk)
    assert whole.content == b"y" * 40_000_000
    assert walk.received < 200_000


def test_raw_deflate_and_several_gzip_members_are_read(server: Loopback, site: Site) -> None:
    raw = zlib.compressobj(wbits=-15)
    deflated = raw.compress(b"one two") + raw.flush()
    headers = (("Content-Encoding", "deflate"),)
    site.pages["/raw"] = Given(content=deflated, media_type="text/plain", headers=headers)
    members = gzip.compress(b"one ") + gzip.compress(b"two")
    headers = (("Content-Encoding", "gzip"),)
    site.pages["/two"] = Given(content=members, media_type="text/plain", headers=headers)
    site.pages["/cut"] = Given(content=members[:-5], media_type="text/plain", headers=headers)
    site.pages["/bad"] = Given(content=b"nothing", media_type="text/plain", headers=headers)
    assert ask(server, lambda http: http.get(f"{server.url}/raw")).text() == "one two"
    assert ask(server, lambda http: http.get(f"{server.url}/two")).text() == "one two"
    for path in ("/cut", "/bad"):
        with pytest.raises(SourceMalformed):
            ask(server, lambda http, path=path: http.get(server.url + path))


def test_slow_drip_ends_at_the_timeout(server: Loopback, site: Site) -> None:
    site.pages["/slow"] = Given(content=b"x" * 10_000, media_type="text/plain")
    server.faults.append(Fault("drip", times=9))
    with pytest.raises(SourceUnavailable, match=r"within 0\.2 s"):
        ask(server, lambda http: http.get(f"{server.url}/slow"), timeout=0.2, retries=0)


@pytest.mark.parametrize("content", ["[" * 101 + "]" * 101, '{"a":' * 200 + "1" + "}" * 200])
def test_json_nested_too_deep_is_refused(server: Loopback, site: Site, content: str) -> None:
    site.pages["/deep"] = Given(content=content.encode())
    with pytest.raises(SourceMalformed, match="nested deeper"):
        ask(server, lambda http: http.get(f"{server.url}/deep")).json()
    fine = ["[" * 500, {"a": "]" * 500}, [[['"[[']]]]
    site.pages["/deep"] = given_json(fine)
    assert ask(server, lambda http: http.get(f"{server.url}/deep")).json() == fine


def test_json_as_other_programs_write_it_is_read(server: Loopback, site: Site) -> None:
    site.pages["/nan"] = Given(content=b'\xef\xbb\xbf{"size": NaN}')
    assert repr(ask(server, lambda http: http.get(f"{server.url}/nan")).json()) == "{'size': nan}"


def test_text_is_read_in_its_charset(server: Loopback, site: Site) -> None:
    def page(charset: str, content: bytes) -> None:
        site.pages["/text"] = Given(content=content, media_type=f"text/plain; charset={charset}")

    page("ISO-8859-1", "Zürich".encode("latin-1"))
    assert ask(server, lambda http: http.get(f"{server.url}/text")).text() == "Zürich"
    page("punycode", "Zürich".encode())
    assert ask(server, lambda http: http.get(f"{server.url}/text")).text() == "Zürich"
    page("utf-8", b"\xff\xfe")
    with pytest.raises(SourceMalformed):
        ask(server, lambda http: http.get(f"{server.url}/text")).text()


def test_what_did_not_change_is_not_sent(server: Loopback, site: Site) -> None:
    def page(asked: Asked) -> Given:
        same = asked.headers.get("if-none-match") == '"v1"'
        return Given(304 if same else 200, b"" if same else b"{}", headers=(("ETag", '"v1"'),))

    site.pages["/item"] = page
    stamp = ask(server, lambda http: http.get(f"{server.url}/item")).stamp
    again = ask(
        server,
        lambda http: http.get(f"{server.url}/item", headers=unless(stamp), expect=(200, 304)),
    )
    assert (stamp, again.status) == ('"v1"', 304)
    assert unless("Tue, 01 Jan 2030 00:00:00 GMT").keys() == {"If-Modified-Since"}
    assert unless("") == {}


def test_answers_are_counted_with_what_came_over_the_wire(server: Loopback) -> None:
    walk = Visit()
    server.faults.append(Fault("500"))
    answer = ask(server, lambda http: http.get(server.url), walk=walk)
    assert (walk.requests, walk.received) == (2, len(b"no") + len(answer.content))


# ------------------------------------------------------------------ redirects and credentials

SECRET_HEADERS = {"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Accept": "text/csv"}


def test_redirects_are_followed_and_end(server: Loopback, site: Site) -> None:
    site.pages["/a"] = redirect("b?x=1")
    site.pages["/b"] = redirect("/")
    site.pages["/round"] = redirect("/round")
    site.pages["/nowhere"] = Given(302)
    answer = ask(server, lambda http: http.get(f"{server.url}/a"))
    assert answer.url == server.url + "/"
    with pytest.raises(SourceMalformed, match="without end"):
        ask(server, lambda http: http.get(f"{server.url}/round"))
    with pytest.raises(SourceMalformed, match="nowhere"):
        ask(server, lambda http: http.get(f"{server.url}/nowhere"))
    wanted = ask(server, lambda http: http.get(f"{server.url}/a", expect=(302,)))
    assert wanted.headers["location"] == "b?x=1"


def test_credentials_never_go_to_another_host(server: Loopback, site: Site) -> None:
    """Another port is another host, whether a redirect leads there or the source asks it."""

    async def both(http: Http) -> None:
        await http.get(f"{server.url}/cookie")
        await http.get(f"{server.url}/away", headers=SECRET_HEADERS)
        await http.get(other.url, headers=SECRET_HEADERS)
        await http.get(f"{server.url}/home", headers=SECRET_HEADERS)

    stranger = Site()
    with serve(stranger) as other:
        site.pages["/cookie"] = text(b"", 200, ("Set-Cookie", "session=s3cret; Path=/"))
        site.pages["/away"] = redirect(other.url + "/")
        site.pages["/home"] = given_json({})
        ask(server, both, allow_networks=["127.0.0.0/8"])
        assert len(other.asked) == 2
        for asked in other.asked:
            assert "s3cret" not in repr(asked)
            assert asked.headers["accept"] == "text/csv"
    home = server.asked[-1].headers
    assert home["authorization"] == "Bearer s3cret"
    assert home["cookie"] == "session=s3cret"


def test_redirect_to_another_host_and_back_leaves_credentials_behind(
    server: Loopback, site: Site
) -> None:
    stranger = Site()
    with serve(stranger) as other:
        site.pages["/away"] = redirect(other.url + "/back")
        stranger.pages["/back"] = redirect(f"{server.url}/evil")
        site.pages["/evil"] = given_json({})
        ask(
            server,
            lambda http: http.get(f"{server.url}/away", headers=SECRET_HEADERS),
            allow_networks=["127.0.0.1/32"],
        )
    assert "authorization" not in server.asked[-1].headers


def test_what_was_posted_is_not_redirected_to_another_host(server: Loopback, site: Site) -> None:
    with serve(Site()) as other:
        site.pages["/login"] = redirect(other.url + "/", 307)
        with pytest.raises(SourceRefused, match="another host"):
            ask(
                server,
                lambda http: http.post(f"{server.url}/login", form={"password": "s3cret"}),
                allow_networks=["127.0.0.0/8"],
            )
        assert other.asked == []


def test_nothing_is_posted_to_another_host(server: Loopback) -> None:
    """Links of an archive may name any host, also for the login."""
    with serve(Site()) as other:
        with pytest.raises(SourceRefused, match="another host"):
            ask(
                server,
                lambda http: http.post(f"{other.url}/login", form={"password": "s3cret"}),
                allow_networks=["127.0.0.0/8"],
            )
        assert other.asked == []


def test_post_is_followed_by_get(server: Loopback, site: Site) -> None:
    site.pages["/login"] = redirect("/")
    ask(server, lambda http: http.post(f"{server.url}/login", form={"password": "x"}))
    assert [(asked.method, asked.body) for asked in server.asked] == [
        ("POST", b"password=x"),
        ("GET", b""),
    ]


@pytest.mark.parametrize("kind", [*KINDS, "nobody", "loop"])
def test_no_secret_is_in_any_error(server: Loopback, site: Site, kind: str) -> None:
    place = f"{server.url}/x?page=2&apikey=s3cret&access_token=s3cret"
    if kind == "nobody":
        place = place.replace(server.url, "http://127.0.0.1:1")
    site.pages["/x"] = redirect(place) if kind == "loop" else Given(content=b"{", status=200)
    if kind in KINDS:
        server.faults.append(Fault(kind, times=9))
    told = ""
    try:
        ask(
            server,
            lambda http: http.get(place, headers=SECRET_HEADERS, check=Answer.json),
            timeout=0.2,
            retries=0,
            allow_networks=["127.0.0.0/8"],
        )
    except SourceError as error:
        told = f"{error} {error.message} {error.where} {error.hint}"
    assert told
    assert "s3cret" not in told
    assert "page=2" in told


# ------------------------------------------------------------------ logins


class Guarded(Site):
    """Lets nobody in without the present session."""

    def __init__(self) -> None:
        super().__init__()
        self.session = 0
        self.password = "right"
        self.closed: set[str] = set()
        self.pages = {"/login": self.login}

    def login(self, asked: Asked) -> Given:
        if asked.body != f"password={self.password}".encode():
            return Given(403)
        self.session += 1
        return text(b"", 200, ("Set-Cookie", f"session={self.session}; Path=/"))

    def answer(self, asked: Asked) -> Given:
        if asked.path == "/login":
            return self.login(asked)
        inside = asked.headers.get("cookie") == f"session={self.session}"
        if not inside or asked.path in self.closed:
            return Given(403)
        return given_json(asked.path)


@pytest.fixture
def site_guarded() -> Guarded:
    return Guarded()


async def log_in(http: Http) -> None:
    await http.post(f"{http.options.url}/login", form={"password": "right"})


def logins(server: Loopback) -> int:
    return sum(asked.path == "/login" for asked in server.asked)


def test_login_is_renewed_once_for_all(site_guarded: Guarded) -> None:
    async def many(http: Http) -> list[Answer]:
        await http.get(f"{server.url}/first")
        site_guarded.session += 1
        return await asyncio.gather(*(http.get(f"{server.url}/{n}") for n in range(8)))

    with serve(site_guarded, delay=0.01) as server:
        answers = ask(server, many, login=log_in)
        assert [answer.json() for answer in answers] == [f"/{n}" for n in range(8)]
        assert logins(server) == 2


def test_refused_login_is_not_tried_again(site_guarded: Guarded) -> None:
    """An account must not be locked because many requests try a wrong password."""

    async def many(http: Http) -> list[Any]:
        asking = (http.get(f"{server.url}/{n}") for n in range(8))
        return await asyncio.gather(*asking, return_exceptions=True)

    site_guarded.password = "changed"
    with serve(site_guarded) as server:
        failures = ask(server, many, login=log_in)
        assert {type(failure) for failure in failures} <= {
            SourceRefused,
            *SourceRefused.__subclasses__(),
        }
        assert logins(server) == 1


def test_closed_objects_do_not_log_in_for_ever(site_guarded: Guarded) -> None:
    site_guarded.closed = {f"/{n}" for n in range(20)}

    async def all_closed(http: Http) -> int:
        refused = 0
        for path in sorted(site_guarded.closed):
            try:
                await http.get(server.url + path)
            except SourceRefused:
                refused += 1
        return refused

    with serve(site_guarded) as server:
        assert ask(server, all_closed, login=log_in) == 20
        assert logins(server) <= 4


def test_check_may_tell_that_a_login_is_needed(server: Loopback, site: Site) -> None:
    def no_login_page(answer: Answer) -> None:
        if b"password" in answer.content:
            raise SourceRefused("shows the page of the login")

    async def login(http: Http) -> None:
        site.pages["/page"] = given_json("in")

    site.pages["/page"] = Given(content=b'"password?"')
    answer = ask(
        server, lambda http: http.get(f"{server.url}/page", check=no_login_page), login=login
    )
    assert answer.json() == "in"


def test_refusal_elsewhere_is_no_reason_to_log_in(server: Loopback) -> None:
    stranger = Site()
    stranger.pages["/"] = Given(403)
    called: list[str] = []

    async def login(http: Http) -> None:
        called.append("in")

    with serve(stranger) as other, pytest.raises(SourceRefused):
        ask(server, lambda http: http.get(other.url), login=login, allow_networks=["127.0.0.0/8"])
    assert called == []


# ------------------------------------------------------------------ manners


def test_server_is_told_who_asks(server: Loopback) -> None:
    ask(server, lambda http: http.get(server.url), contact="lab@example.org")
    assert server.asked[0].headers["user-agent"] == f"parfocal/{__version__} (+lab@example.org)"


@pytest.mark.parametrize("contact", ["a\r\nX-Evil: 1", "a)", "a\n"])
def test_contact_cannot_forge_headers(contact: str) -> None:
    with pytest.raises(ValueError, match="contact"):
        HttpOptions(url="https://archive.example", contact=contact)


@pytest.mark.parametrize(
    "url",
    ["ftp://archive.example", "archive.example", "https://me:word@archive.example", "", "//x"],
)
def test_setting_url_must_be_an_address_without_credentials(url: str) -> None:
    with pytest.raises(ValueError, match="url") as caught:
        HttpOptions(url=url)
    assert "no http address" in str(caught.value) or "not used" in str(caught.value)


def test_robots_are_respected_for_pages_only(server: Loopback, site: Site) -> None:
    site.pages["/robots.txt"] = text(b"User-agent: *\nDisallow: /private")
    site.pages["/private/api"] = given_json(1)
    site.pages["/open"] = text(b"open")

    async def asks(http: Http) -> None:
        await http.get(f"{server.url}/private/api")
        await http.get(f"{server.url}/open", web_page=True)
        with pytest.raises(SourceRefused, match=r"robots\.txt"):
            await http.get(f"{server.url}/private/api", web_page=True)

    ask(server, asks)
    assert [asked.path for asked in server.asked] == ["/private/api", "/robots.txt", "/open"]


def test_own_authority_must_be_a_file_of_certificates(server: Loopback, tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        ask(server, lambda http: http.get(server.url), ca_file=tmp_path / "missing.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ConfigError, match="certificates"):
        ask(server, lambda http: http.get(server.url), ca_file=tmp_path / "empty.pem")


def test_credentials_stay_when_the_operators_host_asks_for_tls() -> None:
    """http://lab redirects to https://lab: both are what the operator named."""
    options = HttpOptions(url="http://lab.example")
    http = Http(options, Visit())
    asked = Request("GET", URL("http://lab.example/x"), SECRET_HEADERS, None, (200,), 1)

    def target(place: str) -> Request:
        return http._redirected(asked, Answer(302, "", {"location": place}, b""))

    assert target("https://lab.example/x").headers == SECRET_HEADERS
    for place in ("https://lab.example:8443/x", "http://other.example/", "http://lab.example:81/"):
        assert target(place).headers == {"Accept": "text/csv"}


class TwoHomes(HttpOptions):
    second: str

    def homes(self) -> tuple[str, ...]:
        return (self.url, self.second)


def test_second_address_of_the_operator_gets_no_credentials_of_the_first(
    server: Loopback, site: Site
) -> None:
    site.pages["/cookie"] = text(b"", 200, ("Set-Cookie", "session=s3cret; Path=/"))

    async def run() -> None:
        async with Http(TwoHomes(url=server.url, second=other.url, **FAST), Visit()) as http:
            await http.get(f"{server.url}/cookie")
            await http.get(other.url, headers=SECRET_HEADERS)

    with serve(Site()) as other:
        asyncio.run(run())
        assert "s3cret" not in repr(other.asked)
        assert len(other.asked) == 1


def test_new_cookies_with_every_answer_do_not_pile_up(server: Loopback, site: Site) -> None:
    site.pages["/many"] = lambda asked: text(
        b"", 200, *(("Set-Cookie", f"c{len(server.asked)}-{n}=x") for n in range(40))
    )

    async def run(http: Http) -> int:
        for _ in range(10):
            await http.get(f"{server.url}/many")
        return len(http.cookies)

    assert ask(server, run) <= 100


@pytest.mark.parametrize("name", sorted(HttpOptions.model_fields))
def test_setting_is_in_the_documentation(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs/harvesting.md").read_text(encoding="utf-8")
    field = HttpOptions.model_fields[name]
    shown = "" if field.is_required() or field.default in ((), "", None) else f"`{field.default}`"
    cells = ("", f"`{name}`", shown, field.description, "")
    assert [cell.strip() for cell in _row(page, name)] == list(cells)


def _row(page: str, name: str) -> list[str]:
    return next(line for line in page.splitlines() if line.startswith(f"| `{name}` |")).split("|")
