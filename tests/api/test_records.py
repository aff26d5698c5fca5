"""``/records/...``: forms, negotiation, awkward identifiers, hostile content, pictures."""

from __future__ import annotations

import html
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from api.app import create_app
from api.thumbnails import PictureCache
from parfocal.catalogue import Catalogue
from parfocal.config import Settings
from parfocal.identifiers import record_id, record_path
from parfocal.model import Access, Dataset, Image, Provenance, decode

STUDY = "/records/idr:idr0001-sample-study"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORMS = {
    ".json": "application/json",
    ".jsonld": "application/ld+json",
    ".ttl": "text/turtle",
    ".nt": "application/n-triples",
}


@pytest.mark.parametrize(("suffix", "kind"), FORMS.items())
def test_forms_by_suffix_and_by_header_are_the_same(client, suffix, kind):
    by_suffix = client.get(STUDY + suffix)
    by_header = client.get(STUDY, headers={"Accept": kind})
    assert by_suffix.mimetype == by_header.mimetype == kind
    assert by_suffix.data == by_header.data
    assert "Accept" in by_header.headers["Vary"]
    assert f'<{STUDY}{suffix}>; rel="alternate"; type="{kind}"' in by_header.headers.getlist("Link")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        (BROWSER["Accept"], "text/html"),
        ("text/turtle;q=0.5, application/ld+json", "application/ld+json"),
        ("text/turtle, text/html;q=0.1", "text/turtle"),
    ],
)
def test_negotiation(client, accept, kind):
    assert client.get(STUDY, headers={"Accept": accept}).mimetype == kind


def test_what_nobody_can_give_is_refused(client):
    answer = client.get(STUDY, headers={"Accept": "image/gif"})
    assert (answer.status_code, answer.mimetype) == (406, "application/problem+json")
    assert "text/turtle" in answer.json["hint"]


def test_unchanged_records_are_not_sent_again(client):
    first = client.get(STUDY + ".json")
    again = client.get(STUDY + ".json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_json_reads_back_as_the_record(client, samples):
    found = client.get(STUDY + ".json").json
    assert found.pop("iri") == "http://localhost" + STUDY
    assert decode(json.dumps(found)) in samples.everything()


AWKWARD = [
    "plain",
    "with space/and slash",
    "ends.json",
    "ends.ttl",
    "a/thumbnail",
    "a//b",
    "trailing/",
    "%2F%25",
    "q?x=1&y=2#z",
    "üñí/日本/صورة",
    "😀",
    "a;b=c,d!e'(f)*",
    "+plus+",
    "....",
]


@pytest.fixture(scope="module")
def awkward():
    records = [
        Image(id=record_id("x", name), title=f"[{name}]", provenance=Provenance("x", name))
        for name in AWKWARD
    ]
    with Catalogue.in_memory(records) as catalogue:
        yield create_app(catalogue).test_client()


@pytest.mark.parametrize("name", AWKWARD)
def test_every_identifier_resolves(awkward, name):
    path = record_path(record_id("x", name))
    assert (
        f"<bdi>[{name}]</bdi>".replace("&", "&amp;").replace("'", "&#39;")
        in awkward.get(path, headers=BROWSER).text
    )
    assert awkward.get(path, headers={"Accept": "application/json"}).json["id"] == f"x:{name}"
    assert awkward.get(path + ".json").json["id"] == f"x:{name}"


@pytest.mark.parametrize(
    "path", ["/records/", "/records/x", "/records/x:", "/records/x:%00", "/records/X:y"]
)
def test_what_is_no_identifier_is_not_found(awkward, path):
    assert awkward.get(path).status_code == 404


class Reader(HTMLParser):
    """Collects what a browser would run or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.foreign: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "script":
            self.scripts.append(given)
        if tag == "a":
            self.links.append(given.get("href", ""))
        source = given.get("src") or (given.get("href") if tag == "link" else "") or ""
        if tag in ("img", "script", "link", "iframe") and "//" in source:
            self.foreign.append(f"{tag} {given.get('rel', '')} {source}")


def pages(client, samples):
    for record in samples.hostile():
        yield record_path(record.id)
    yield "/?level=study"
    yield "/?level=study&view=table&column=Organism"
    yield "/?level=study&view=list"
    yield "/?q=alert&level=any".replace("any", "study")
    yield "/"
    yield "/about"


def test_hostile_records_do_nothing(client, samples):
    for path in pages(client, samples):
        answer = client.get(path, headers=BROWSER)
        assert answer.status_code == 200
        reader = Reader()
        reader.feed(answer.text)
        assert reader.handlers == []
        assert {script.get("type") for script in reader.scripts} <= {
            None,
            "module",
            "application/ld+json",
        }
        assert all(s.get("src") or s.get("type") == "application/ld+json" for s in reader.scripts)
        assert all(re.match(r"https?://|/|#|$", link) for link in reader.links), path
        assert [x for x in reader.foreign if not x.startswith("link canonical")] == []
        assert "49" not in re.findall(r"alert\(2\)&gt;(\d+)", answer.text)


def test_the_json_ld_block_cannot_be_left(client, samples):
    text = client.get(record_path(samples.hostile()[0].id), headers=BROWSER).text
    block = re.search(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    assert json.loads(block.group(1))["title"] == samples.ATTACK


def test_headers_keep_strangers_out(client):
    headers = client.get(STUDY, headers=BROWSER).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_long_records_are_paged(client):
    first = client.get("/records/idr:huge", headers=BROWSER).text
    assert "pairs 1 to 80 of 400" in first
    assert "key 79<" in first
    assert "key 80<" not in first
    assert "key 80<" in client.get("/records/idr:huge?pairs=80", headers=BROWSER).text


@pytest.fixture
def disk(tmp_path):
    """A catalogue over a folder with one picture, and a client."""
    pixels = (np.indices((300, 400)).sum(axis=0) % 256).astype("uint8")
    tifffile.imwrite(tmp_path / "one.ome.tif", pixels)
    settings = Settings.model_validate(
        {"sources": [{"name": "disk", "kind": "local", "path": str(tmp_path)}]}
    )
    from parfocal.harvesting import harvest

    with Catalogue.in_memory(settings=settings) as catalogue:
        list(harvest(catalogue))
        yield catalogue, create_app(catalogue).test_client()


def test_pictures_are_drawn_once_and_kept(disk):
    catalogue, client = disk
    found = client.get("/api/v1/search?level=image").json["hits"]
    assert len(found) == 1
    address = found[0]["thumbnail"].removeprefix(catalogue.settings.base_url)
    assert address.endswith("/thumbnail")
    answer = client.get(address + "?size=128")
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    with Pillow.open(io.BytesIO(answer.data)) as picture:
        assert max(picture.size) <= 128
    kept = list((catalogue.settings.data_dir / "thumbnails").rglob("*.png"))
    assert [path.read_bytes() for path in kept] == [answer.data]
    again = client.get(address + "?size=128", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert client.get(address + "?size=5000").status_code == 400


def test_a_picture_that_cannot_be_drawn_is_told(disk, tmp_path):
    _, client = disk
    address = client.get("/api/v1/search?level=image").json["hits"][0]["thumbnail"]
    path = re.sub(r"^https?://[^/]+", "", address)
    (tmp_path / "one.ome.tif").unlink()
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
    assert str(tmp_path) not in answer.text
    pattern = client.get(path + "?fallback=pattern")
    assert (pattern.status_code, pattern.mimetype) == (200, "image/svg+xml")


def test_records_without_pictures_say_so(client):
    answer = client.get(STUDY + "/thumbnail")
    assert (answer.status_code, answer.json["type"]) == (
        404,
        "urn:parfocal:problem:picture-missing",
    )
    assert client.get(STUDY + "/thumbnail?fallback=pattern").mimetype == "image/svg+xml"


def test_the_picture_cache_is_bounded(tmp_path):
    cache = PictureCache(tmp_path, max_files=3, max_bytes=10_000)
    for number in range(6):
        cache.put(f"{number:040}", b"x" * 100)
    cache.sweep()
    assert len(list(tmp_path.rglob("*.png"))) == 3
    small = PictureCache(tmp_path, max_files=100, max_bytes=250)
    small.sweep()
    assert len(list(tmp_path.rglob("*.png"))) == 2


def test_what_lies_in_a_study_is_paged(client):
    with Catalogue.in_memory(many()) as catalogue:
        reader = create_app(catalogue).test_client()
        first = reader.get("/records/x:set", headers=BROWSER).text
        assert first.count("data-card") == 36
        following = re.search(r'href="(/records/x:set\?after=\d+)#inside"', first).group(1)
        assert reader.get(following, headers=BROWSER).text.count("data-card") == 24


def many():
    top = Dataset(id=record_id("x", "set"), title="Set", provenance=Provenance("x", "set"))
    yield top
    for number in range(60):
        name = f"set/{number}"
        yield Image(id=record_id("x", name), part_of=top.id, provenance=Provenance("x", name))


def _twin(id: str, access: tuple[str, ...] = ()) -> Dataset:
    source, _, native = id.partition(":")
    return Dataset(
        id=record_id(source, native),
        title=f"Cells of {source}",
        ome_type="Study",
        provenance=Provenance(source, native),
        identifiers=("doi:10.1000/same",),
        access=Access(access),
    )


@pytest.fixture
def twins(samples):
    records = [_twin("a:1"), _twin("b:2"), _twin("lab:secret", ("lab",))]
    with Catalogue.in_memory(records, settings=samples.SETTINGS) as catalogue:
        yield create_app(catalogue).test_client()


def test_twins_are_told_in_every_form_with_evidence(twins):
    page = twins.get("/records/a:1", headers=BROWSER).text
    assert "The same data in other sources" in page
    assert 'href="/records/b:2"' in page
    assert "same DOI: doi:10.1000/same" in page
    told = twins.get("/records/a:1.json").json
    assert [twin["record"] for twin in told["twins"]] == ["b:2"]
    assert told["twins"][0]["evidence"][0]["value"] == "doi:10.1000/same"
    linked = twins.get("/records/a:1.jsonld").json
    assert [one.partition("/records/")[2] for one in _iris(linked["same_as"])] == ["b:2"]
    turtle = twins.get("/records/a:1.ttl").text
    assert "schema:sameAs" in turtle
    assert 'parfocal:evidenceKind "same DOI"' in turtle


def _iris(nodes) -> list[str]:
    return [node["@id"] for node in nodes]


def test_private_twins_are_told_to_members_only(twins, samples):
    for suffix in ("", *FORMS):
        assert "secret" not in twins.get(f"/records/a:1{suffix}").text
    signed = {"Authorization": f"Bearer {samples.TOKEN}"}
    told = twins.get("/records/a:1.json", headers=signed).json
    assert [twin["record"] for twin in told["twins"]] == ["b:2", "lab:secret"]
    assert "/records/lab:secret" in twins.get("/records/a:1", headers={**BROWSER, **signed}).text


def test_hits_carry_their_cluster(twins):
    found = twins.get("/api/v1/search?q=cluster:%22b:2%22").json
    assert [(hit["id"], hit["cluster"]) for hit in found["hits"]] == [
        ("a:1", "a:1"),
        ("b:2", "a:1"),
    ]


def test_copies_are_listed_once_when_asked_for(twins):
    every = "/api/v1/search?level=study"
    assert twins.get(every).json["total"] == 2
    once = twins.get(f"{every}&collapse=true").json
    assert [hit["id"] for hit in once["hits"]] == ["a:1"]
    assert (once["total"], once["query"]["collapse"]) == (1, True)
    asked = {"level": "study", "collapse": True}
    assert twins.post("/api/v1/search", json=asked).json["hits"] == once["hits"]
    assert twins.get(f"{every}&collapse=perhaps").status_code == 400
    assert twins.post("/api/v1/search", json={"collapse": "true"}).status_code == 400
    page = twins.get("/?level=study&collapse=true", headers=BROWSER).text
    assert "show all copies" in page
    assert "/records/b:2" not in page
    assert "copies once" in twins.get("/?level=study", headers=BROWSER).text


def test_the_page_of_a_record_leads_to_all_that_its_copies_hold(twins):
    page = twins.get("/records/a:1", headers=BROWSER).text
    address = re.search(r'href="(/\?filter=cluster[^"]+)"', page)
    assert address
    found = twins.get(html.unescape(address[1]) + "&level=study", headers=BROWSER)
    assert found.status_code == 200
    assert "/records/b:2" in found.text
