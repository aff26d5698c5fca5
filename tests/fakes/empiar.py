"""An archive that answers as EMPIAR does, beside a list of its entries as BioStudies gives one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from parfocal.testing.loopback import Asked, Given
from tests.fakes.biostudies import FakeBioStudies


class FakeEmpiar:
    """Entries by number; ``tags`` says whether answers have ETags."""

    def __init__(self, *, tags: bool = True) -> None:
        self.entries: dict[int, dict[str, Any]] = {}
        self.tags = tags
        self.listing = FakeBioStudies()
        self.changes = 0

    def add(self, number: int = 0, **more: Any) -> None:
        """Add an entry; it is listed before the others."""
        number = number or max(self.entries, default=10000) + 1
        self.entries[number] = entry(f"Entry {number}", **more)
        self.listing.add(f"EMPIAR-{number}", files=0)
        self.listing.studies = {accession: held for accession, held in self.listing.studies.items()}

    def change(self, number: int = 0) -> None:
        """Give an entry another title."""
        self.changes += 1
        self.entries[number or min(self.entries)]["title"] = f"Changed {self.changes}"

    def remove(self, number: int = 0) -> None:
        """Withdraw an entry."""
        number = number or min(self.entries)
        del self.entries[number]
        self.listing.remove(f"EMPIAR-{number}")

    def misbehave(self, how: str) -> None:
        """Let the list misbehave."""
        self.listing.misbehave(how)

    def answer(self, asked: Asked) -> Given:
        """Answer a request."""
        parts = asked.path.strip("/").split("/")
        if parts[:2] != ["api", "entry"]:
            return self.listing.answer(asked)
        number = int(parts[2])
        if number not in self.entries:
            return Given(404, b'{"detail":"Not found."}')
        content = json.dumps({f"EMPIAR-{number}": self.entries[number]}).encode()
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if self.tags and asked.headers.get("if-none-match") == tag:
            return Given(304)
        return Given(200, content, headers=(("ETag", tag),) if self.tags else ())


def entry(title: str, **more: Any) -> dict[str, Any]:
    """Make an entry."""
    author = {"author": {"name": "Example A", "author_orcid": "0000-0002-1825-0097"}}
    return {
        "title": title,
        "status": "REL",
        "deposition_date": "2023-01-25",
        "release_date": "2023-02-28",
        "obsolete_date": None,
        "update_date": "2023-04-14",
        "principal_investigator": [],
        "corresponding_author": {
            "author": {
                "first_name": "Ada",
                "last_name": "Example",
                "author_orcid": "0000-0002-1825-0097",
                "organization": "Home University",
                "country": "Norway",
                "email": "ada@home.example",
            }
        },
        "authors": [author, {"author": {"name": "('Other', 'BC')", "author_orcid": None}}],
        "cross_references": [{"name": "EMD-8000"}, "EMD-8001"],
        "biostudies_references": [{"name": "S-BIAD7"}],
        "idr_references": [{"name": "idr0001"}],
        "empiar_references": [],
        "workflow_file": None,
        "grant_references": [{"funding_body": "Fund", "code": "F1", "country": "Norway"}],
        "version_history": [{"version_number": 1, "date": "2023-02-28", "status_code": "REL"}],
        "citation": [
            {
                "title": "A paper",
                "authors": [author],
                "doi": "https://doi.org/10.1000/Paper.",
                "pubmedid": "123",
                "journal": "Journal",
                "year": 2023,
            }
        ],
        "imagesets": [
            {
                "name": "Micrographs",
                "directory": "/data/frames",
                "category": "micrographs - multiframe",
                "header_format": "TIFF",
                "num_images_or_tilt_series": 203,
                "pixel_width": 3.425,
                "image_width": "5760",
                "details": "As collected",
                "segmentations": [],
            }
        ],
        "experiment_type": "FIB-SEM",
        "scale": "cell",
        "dataset_size": "6.7 GB",
        "entry_doi": "10.6019/EMPIAR-10001",
        **more,
    }
