"""A web server with RO-Crates, and lists of them in every form."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any
from xml.sax.saxutils import escape

from parfocal.testing.loopback import Asked, Given, given_json

PARTS = (
    {
        "@id": "data/",
        "@type": "Dataset",
        "name": "Data",
        "description": "All of it",
        "hasPart": [{"@id": "data/cell 1.ome.tif"}],
        "about": {"@id": "http://purl.obolibrary.org/obo/NCBITaxon_9606"},
    },
    {"@id": "data/cell 1.ome.tif", "@type": "File", "name": "Cell", "contentSize": "12"},
)
_NOT_FOUND = Given(404, b"not found", "text/plain")


class FakeCrates:
    """Crates by name below ``/crates/``, and four lists that name them."""

    def __init__(self, *, tags: bool = True) -> None:
        self.crates: dict[str, dict[str, Any]] = {}
        self.files: dict[str, Given] = {}
        self.tags = tags
        self.how = ""
        self.changes = 0

    def add(self, name: str = "", **more: Any) -> None:
        """Add a crate; it is listed before the others."""
        self.changes += 1
        name = name or f"added-{self.changes}"
        self.crates = {name: crate(name, **{"parts": PARTS, **more}), **self.crates}

    def change(self, name: str = "") -> None:
        """Give a crate another title."""
        self.changes += 1
        name = name or list(self.crates)[-1]
        self.crates[name] = crate(name, title=f"Changed {self.changes}", parts=PARTS)

    def remove(self, name: str = "") -> None:
        """Take a crate away."""
        del self.crates[name or next(iter(self.crates))]

    def misbehave(self, how: str) -> None:
        """Let the lists be empty."""
        self.how = how

    def answer(self, asked: Asked) -> Given:
        """Answer a request."""
        base = f"http://{asked.headers['host']}"
        path = asked.path
        if path in self.files:
            return self.files[path]
        names = [] if self.how == "empty" else list(self.crates)
        listed = [f"{base}/crates/{name}/ro-crate-metadata.json" for name in names]
        if path == "/list.txt":
            return Given(200, "\n".join(["# crates", *listed]).encode(), "text/plain")
        if path == "/list.csv":
            rows = ["title,url", *(f'"A, B",{address}' for address in listed)]
            return Given(200, "\n".join(rows).encode(), "text/csv")
        if path == "/listing.json":
            readme = {"type": "file", "sha": "0", "download_url": f"{base}/README.md"}
            folder = {"type": "dir", "sha": "1", "download_url": None, "url": f"{base}/x"}
            return given_json([readme, folder, *(self._entry(base, name) for name in names)])
        if path == "/sitemap.xml":
            return Given(200, sitemap(listed), "application/xml")
        name = path.removeprefix("/crates/").removesuffix("/ro-crate-metadata.json")
        if name not in self.crates:
            return _NOT_FOUND
        content, tag = self._content(name)
        if self.tags and asked.headers.get("if-none-match") == tag:
            return Given(304)
        return Given(200, content, headers=(("ETag", tag),) if self.tags else ())

    def _content(self, name: str) -> tuple[bytes, str]:
        content = json.dumps(self.crates[name]).encode()
        return content, f'"{hashlib.sha256(content).hexdigest()[:12]}"'

    def _entry(self, base: str, name: str) -> dict[str, Any]:
        address = f"{base}/crates/{name}/ro-crate-metadata.json"
        sha = hashlib.sha1(self._content(name)[0], usedforsecurity=False).hexdigest()
        return {"name": name, "type": "file", "sha": sha, "download_url": address}


def crate(name: str, title: str = "", parts: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """Make a crate whose landing page ends in its name."""
    root = {
        "@id": f"https://archive.example/studies/{name}",
        "@type": "Dataset",
        "name": title or f"Study {name}",
        "description": "Words",
        "datePublished": "2024-02-03",
        "license": {"@id": "https://creativecommons.org/publicdomain/zero/1.0/"},
        "author": {"@id": "https://orcid.org/0000-0002-1825-0097"},
        "publisher": {"@id": "#archive"},
        "about": [{"@id": "http://purl.obolibrary.org/obo/NCBITaxon_9606"}],
        "measurementMethod": [{"@id": "http://purl.obolibrary.org/obo/FBbi_00000251"}],
        "hasPart": [{"@id": part["@id"]} for part in parts],
        "keywords": ["cells"],
        "identifier": f"https://doi.org/10.1234/{name}",
        "thumbnailUrl": f"https://archive.example/{name}.png",
        "funder": {"@id": "#grant"},
        "seeAlso": {"@id": "https://doi.org/10.1000/P"},
    }
    others = [
        {"@id": "#grant", "@type": "Grant", "name": "Grant", "identifier": "G7"},
        {"@id": "https://doi.org/10.1000/P", "@type": "ScholarlyArticle", "name": "A paper"},
        {"@id": "https://orcid.org/0000-0002-1825-0097", "@type": "Person", "name": "Ada Example"},
        {"@id": "#archive", "@type": "Organization", "name": "Archive"},
        {
            "@id": "http://purl.obolibrary.org/obo/NCBITaxon_9606",
            "@type": "Taxon",
            "scientificName": "Homo sapiens",
        },
        {
            "@id": "http://purl.obolibrary.org/obo/FBbi_00000251",
            "@type": "DefinedTerm",
            "name": "confocal microscopy",
        },
    ]
    descriptor = {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"},
        "about": {"@id": root["@id"]},
    }
    return {
        "@context": "https://w3id.org/ro/crate/1.2/context",
        "@graph": [descriptor, root, *others, *parts],
    }


def sitemap(addresses: list[str], kind: str = "urlset", changed: str = "") -> bytes:
    """Make a sitemap, or an index of sitemaps."""
    entry = "url" if kind == "urlset" else "sitemap"
    when = f"<lastmod>{changed}</lastmod>" if changed else ""
    inner = "".join(f"<{entry}><loc>{escape(a)}</loc>{when}</{entry}>" for a in addresses)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<{kind} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{inner}</{kind}>'
    ).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    """Make a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()
