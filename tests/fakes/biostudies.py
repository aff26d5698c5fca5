"""An archive that answers as BioStudies does: search, studies, info, file lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from parfocal.testing.loopback import Asked, Given, given_json

_NOT_FOUND = Given(404, b'{"errorMessage":"not found"}')


@dataclass
class Held:
    """A study as the archive holds it."""

    pagetab: dict[str, Any]
    modified: int
    lists: dict[str, Any] = field(default_factory=dict)
    public: bool = True
    type: str = "study"


class FakeBioStudies:
    """A small archive; ``exact`` says whether its totals are."""

    def __init__(self, *, page_size: int = 100, exact: bool = True) -> None:
        self.studies: dict[str, Held] = {}
        self.links: dict[str, str] = {}
        self.exact = exact
        self.how = ""
        self.more = 0
        self.page_size = page_size
        self.now = 1_600_000_000_000

    def add(self, accession: str = "", title: str = "", files: int = 3, **more: Any) -> Held:
        """Add a study with one component; it becomes the first hit."""
        self.now += 1000
        accession = accession or f"S-BIAD{self.now // 1000 % 100_000}"
        entries = [_entry(f"images/{number:03d}.ome.tiff", number) for number in range(files)]
        held = Held(pagetab(accession, title or f"Study {accession}"), self.now, **more)
        held.lists.setdefault("files.json", [*entries, _entry("notes.csv", 9)])
        self.studies = {accession: held, **self.studies}
        return held

    def change(self, accession: str = "", title: str = "") -> None:
        """Give a study another title."""
        self.now += 1000
        accession, title = accession or next(iter(self.studies)), title or f"Title {self.now}"
        held = self.studies[accession]
        held.pagetab = pagetab(accession, title)
        held.modified = self.now

    def remove(self, accession: str = "") -> None:
        """Withdraw a study."""
        del self.studies[accession or next(iter(self.studies))]

    def misbehave(self, how: str) -> None:
        """Answer searches with nothing, one page again, or pages without end."""
        self.how = how

    def answer(self, asked: Asked) -> Given:
        """Answer a request."""
        parts = [unquote(part) for part in asked.path.strip("/").split("/")]
        if parts[:2] == ["api", "v1"] and parts[-1] == "search":
            return self._search(asked)
        if parts[:3] == ["api", "v1", "studies"] and parts[3] in self.studies:
            return self._study(parts[3], parts[4:])
        if parts[0] == "files" and parts[1] in self.studies:
            return self._file(parts[1], "/".join(parts[2:]))
        if parts[0] == "elsewhere":
            return given_json(self.studies[parts[1].removesuffix(".json")].pagetab)
        return _NOT_FOUND

    def _search(self, asked: Asked) -> Given:
        size = min(int(asked.one("pageSize", "20")), self.page_size)
        page = int(asked.one("page", "1"))
        hits = [_hit(accession, held) for accession, held in self.studies.items()]
        hits = [] if self.how == "empty" else hits
        shown = page - 1 if self.how == "duplicate-page" and page > 1 else page
        shown = (page - 1) % 3 + 1 if self.how == "endless-next" else shown
        return given_json(
            {
                "page": page,
                "pageSize": size,
                "totalHits": 10**9 if self.how == "endless-next" else len(hits) + self.more,
                "isTotalHitsExact": self.exact,
                "sortBy": "release_date",
                "sortOrder": "descending",
                "hits": hits[(shown - 1) * size : shown * size],
                "query": asked.one("query") or None,
                "facets": None,
            }
        )

    def _study(self, accession: str, rest: list[str]) -> Given:
        held = self.studies[accession]
        if rest == ["info"]:
            return given_json(_info(accession, held))
        if accession in self.links:
            return given_json({"ftpHttp_link": self.links[accession]})
        return given_json(held.pagetab)

    def _file(self, accession: str, name: str) -> Given:
        lists = self.studies[accession].lists
        if name not in lists:
            return _NOT_FOUND
        held = lists[name]
        if isinstance(held, bytes):
            return Given(200, held, "text/tab-separated-values")
        return given_json(held)


def pagetab(accession: str, title: str) -> dict[str, Any]:
    """Make a submission in the template of version 4."""
    return {
        "accno": accession,
        "type": "submission",
        "attributes": _attributes(
            Template="BioImages.v4",
            ReleaseDate="2024-03-01",
            AttachTo="BioImages",
            DOI=f"10.6019/{accession}",
        ),
        "section": {
            "type": "Study",
            "accno": "section0",
            "attributes": [
                *_attributes(Title=title, Description="Words of it", Keywords="yeast"),
                {
                    "name": "License",
                    "value": "CC0",
                    "valqual": [{"name": "URL", "value": "https://licence.example/own"}],
                },
            ],
            "links": [{}, {"url": "https://code.example/x", "attributes": []}],
            "subsections": [*_people(), *_described(), _component()],
        },
    }


def _attributes(**pairs: str) -> list[dict[str, Any]]:
    return [{"name": name.replace("_", " "), "value": value} for name, value in pairs.items()]


def _people() -> list[Any]:
    affiliation = {"name": "affiliation", "value": "o1", "reference": True}
    author = [*_attributes(Name="Ada Example", ORCID="0000-0002-1825-0097"), affiliation]
    home = _attributes(Name="Home University", RORID="https://ror.org/02mhbdp94")
    paper = _attributes(
        Title="A paper", Authors="Example A", DOI="https://doi.org/10.1000/P.", Pubmed_ID="9"
    )
    return [
        {"type": "author", "attributes": author},
        {"type": "organisation", "accno": "o1", "attributes": home},
        {"type": "Publication", "attributes": paper},
        {"type": "Funding", "attributes": _attributes(Agency="Fund", grant_id="F1")},
    ]


def _described() -> list[Any]:
    organism = _attributes(
        Scientific_name="Saccharomyces cerevisiae", Common_name="yeast", NCBI_taxon_ID="4932"
    )
    method = [
        {"name": "Ontology Value", "value": "confocal microscopy"},
        {"name": "Ontology Name", "value": "FBbi"},
        {"name": "Ontology Term ID", "value": "FBbi:00000251"},
    ]
    return [
        {
            "type": "Biosample",
            "accno": "Biosample-1",
            "attributes": _attributes(Title="Cells"),
            "subsections": [{"type": "Organism", "attributes": organism}],
        },
        {
            "type": "Image acquisition",
            "accno": "Image acquisition-3",
            "attributes": _attributes(Title="Scope", Imaging_method="confocal microscopy"),
            "subsections": [[{"type": "Imaging Method", "attributes": method}]],
        },
    ]


def _component() -> dict[str, Any]:
    associations = _attributes(Biosample="Cells", Image_acquisition="Scope")
    return {
        "type": "Study Component",
        "accno": "Study Component-4",
        "attributes": _attributes(Name="Component", Description="All", File_List="files.json"),
        "subsections": [{"type": "Associations", "attributes": associations}],
    }


def _entry(path: str, size: int) -> dict[str, Any]:
    attributes = [{}, {"name": "Compound", "value": "null"}, {"name": "Well", "value": f"A{size}"}]
    return {"path": path, "size": size, "type": "file", "attributes": attributes}


def _hit(accession: str, held: Held) -> dict[str, Any]:
    return {
        "accession": accession,
        "type": held.type,
        "title": "Title",
        "author": "A B",
        "links": 1,
        "files": 4,
        "release_date": "2024-03-01",
        "views": 1,
        "isPublic": held.public,
    }


def _info(accession: str, held: Held) -> dict[str, Any]:
    return {
        "columns": [],
        "files": 4,
        "httpLink": f"https://ftp.example/{accession}",
        "ftpLink": f"ftp://ftp.example/{accession}",
        "isPublic": held.public,
        "relPath": accession,
        "views": 1,
        "released": 1_700_000_000_000,
        "modified": held.modified,
        "sections": [],
    }
