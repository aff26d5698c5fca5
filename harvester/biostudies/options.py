"""Settings of the source ``biostudies``."""

from __future__ import annotations

from pydantic import Field

from harvester.asking.http_options import HttpOptions


class BioStudiesOptions(HttpOptions):
    """Settings of a ``biostudies`` source."""

    url: str = Field("https://www.ebi.ac.uk/biostudies", description="Address of the archive.")
    collection: str = Field(
        "BioImages", pattern=r"[A-Za-z0-9._-]*", description="Collection; empty for all studies."
    )
    query: str = Field("", description="Words that studies must have, in the archive's syntax.")
    accessions: tuple[str, ...] = Field(
        (), description="Only these studies; the archive is not searched."
    )
    prefixes: tuple[str, ...] = Field(
        (), description="Only accessions that begin with one of these; empty for all."
    )
    page_size: int = Field(100, ge=1, le=1000, description="Hits on a page of the search.")
    files: bool = Field(True, description="Whether file lists are read, and images become records.")
    max_files: int = Field(
        0, ge=0, description="Entries of file lists read of a study at most; 0: all."
    )
    max_list_mb: int = Field(1024, ge=1, le=16384, description="Largest file list, in MiB.")
