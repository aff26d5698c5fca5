"""Which addresses may be asked: hostile ones come in records, redirects and answers of DNS."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from harvester.asking.addresses import may_connect, parse_address, shown
from harvester.asking.http import Http, HttpOptions
from parfocal.errors import SourceError, SourceMalformed, SourceRefused
from parfocal.testing.loopback import Asked, Given, Loopback, given_json, serve
from parfocal.testing.sources import Visit

INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.9",
    "192.88.99.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
    "2001:0:808:808:0:0:80ff:fffe",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "3fff::1",
]
OUTSIDE = ["8.8.8.8", "93.184.215.14", "::ffff:8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_address_inside_is_refused(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_address_may_be_asked(address: str) -> None:
    assert may_connect(address)


def test_allowed_network_may_be_asked_in_every_writing() -> None:
    lab = [ipaddress.ip_network("10.20.0.0/16")]
    assert may_connect("10.20.3.4", lab)
    assert may_connect("::ffff:10.20.3.4", lab)
    assert not may_connect("10.21.0.1", lab)
    assert not may_connect("2002:a14:1::", lab), "an allowed network is not allowed in disguise"


@given(st.integers(0, 2**32 - 1))
def test_ipv4_address_is_judged_alike_in_all_its_disguises(number: int) -> None:
    plain = str(ipaddress.IPv4Address(number))
    mapped = str(ipaddress.IPv6Address(0xFFFF00000000 | number))
    assert may_connect(mapped) == may_connect(plain)
    for disguise in (
        ipaddress.IPv6Address((0x0064FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | number << 80),
        ipaddress.IPv6Address((0x20010000 << 96) | number << 64 | 0xF7F7F7F7),
        ipaddress.IPv6Address((0x20010000 << 96) | 0x08080808 << 64 | number ^ 0xFFFFFFFF),
        ipaddress.IPv6Address(number),
    ):
        assert not may_connect(str(disguise)) or may_connect(plain)


# ------------------------------------------------------------------ asked for real


class Home:
    def answer(self, asked: Asked) -> Given:
        if asked.path == "/go":
            return Given(302, headers=(("Location", asked.one("to")),))
        return given_json(asked.headers["host"])


def ask(url: str, *, home: str = "https://archive.example", **options: Any) -> Any:
    async def run() -> Any:
        chosen = HttpOptions(**{"url": home, "rate": 0, "retries": 0, "timeout": 5, **options})
        async with Http(chosen, Visit()) as http:
            return (await http.get(url)).json()

    return asyncio.run(run())


def disguises(server: Loopback) -> list[str]:
    """Ways to write the address of a server on loopback."""
    port = server.url.rpartition(":")[2]
    hosts = (
        *(
            "127.0.0.1",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
        ),
        *("127.1", "0177.0.0.1", "017700000001", "0", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"),
        *("[::ffff:7f00:1]", "[::127.0.0.1]", "[::]", "①②⑦.0.0.1", "127。0。0。1", "127.0.0.1."),
    )
    return [f"http://{host}:{port}/" for host in hosts]


def test_no_disguise_of_loopback_is_asked() -> None:
    with serve(Home()) as server:
        for url in disguises(server):
            with pytest.raises(SourceError):
                ask(url)
        assert server.asked == []


def test_no_disguise_of_loopback_is_redirected_to() -> None:
    with serve(Home()) as home, serve(Home()) as server:
        for url in disguises(server):
            with pytest.raises(SourceError):
                ask(str(URL(f"{home.url}/go").with_query(to=url)), home=home.url)
        assert server.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://archive.example/x",
        "gopher://archive.example/",
        "http://",
        "http:///etc",
        "javascript:alert(1)",
        "//archive.example",
        "archive.example",
        "",
        "http://[::1",
        "http://archive.example:99999/",
        "http://me@archive.example/",
        "http://me:word@archive.example/",
        "http://archive.example\\@127.0.0.1/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(SourceRefused):
        ask(url)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://archive.example/",
        "javascript:alert(1)",
        "http://[::1",
        "http://archive.example:99999/",
        "http://me:word@archive.example/",
    ],
)
def test_redirect_to_what_is_no_plain_web_address_is_not_followed(url: str) -> None:
    with serve(Home()) as home:
        place = str(URL(f"{home.url}/go").with_query(to=url))
        with pytest.raises((SourceRefused, SourceMalformed)):
            ask(place, home=home.url)
        assert len(home.asked) == 1


def test_operators_own_address_may_lie_anywhere_but_no_other_port_of_its_host() -> None:
    with serve(Home()) as home, serve(Home()) as neighbour:
        assert ask(home.url + "/x", home=home.url)
        with pytest.raises(SourceRefused, match="not public"):
            ask(neighbour.url + "/x", home=home.url)
        assert neighbour.asked == []
        assert ask(neighbour.url + "/x", home=home.url, allow_networks=["127.0.0.0/8"])


class Names:
    """Answers of DNS, one after the other; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        self.asked += 1
        found = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


def test_name_that_changes_its_meaning_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: public when it is checked, loopback when it is connected to."""
    connected: list[str] = []

    async def connect(self: Any, sock: socket.socket, address: Any) -> None:
        connected.append(address[0])
        raise ConnectionRefusedError(111, "refused")

    names = Names(["93.184.215.14"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", connect)
    with pytest.raises(Exception, match="reached"):
        ask("http://rebinding.example/")
    assert connected == ["93.184.215.14"]
    assert names.asked == 1
    with pytest.raises(SourceRefused, match="not public"):
        ask("http://rebinding.example/")
    assert connected == ["93.184.215.14"]


def test_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(["93.184.215.14", "10.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)
    with pytest.raises(SourceRefused, match="not public"):
        ask("http://mixed.example/")


def test_name_in_an_allowed_network_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.1"]).getaddrinfo)
    with serve(Home()) as server:
        port = server.url.rpartition(":")[2]
        url = f"http://files.lab.example:{port}/"
        with pytest.raises(SourceRefused):
            ask(url)
        assert ask(url, allow_networks=["127.0.0.0/8"]) == f"files.lab.example:{port}"


# ------------------------------------------------------------------ TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody trusts, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    file = folder / "own.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    try:
        subprocess.run(
            [*command.split(), *names, "-keyout", folder / "key", "-out", folder / "certificate"],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    file.write_bytes((folder / "key").read_bytes() + (folder / "certificate").read_bytes())
    return file


def test_certificate_is_verified_and_own_authority_can_be_added(certificate: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with serve(Home(), tls=tls) as server:
        with pytest.raises(SourceRefused, match="certificate") as caught:
            ask(server.url, home=server.url, retries=3)
        assert "ca_file" in caught.value.hint
        assert server.asked == []
        assert ask(server.url, home=server.url, ca_file=certificate)


# ------------------------------------------------------------------ how addresses are shown


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://a.example/x?page=2#end", "https://a.example/x?page=2"),
        ("https://me:word@a.example/", "https://a.example/"),
        ("https://a.example/?token=abc&x=1", "https://a.example/?token=***&x=1"),
        ("https://a.example/?X-Amz-Signature=abc", "https://a.example/?X-Amz-Signature=***"),
        (
            "https://a.example/?Api_Key=abc&api_key=def",
            "https://a.example/?Api_Key=***&api_key=***",
        ),
        ("https://a.example/b?max-keys=2&apikeys=3", "https://a.example/b?max-keys=2&apikeys=***"),
        ("me:word@a.example/x", "a.example/x"),
        ("//me:word@a.example/x", "//a.example/x"),
    ],
)
def test_address_is_shown_without_secrets(url: str, text: str) -> None:
    assert shown(url) == text


@given(st.text(max_size=60))
def test_any_text_can_be_shown_and_parsed_or_refused(text: str) -> None:
    assert len(shown(text)) <= 300
    try:
        url = parse_address(text)
    except SourceRefused:
        return
    assert url.scheme in ("http", "https")
    assert url.host
