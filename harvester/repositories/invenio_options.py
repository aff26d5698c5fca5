"""The settings of an InvenioRDM source, and what follows from them for its requests and records."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harvester.asking.http import HttpOptions
from harvester.repositories.invenio_search import identity
from harvester.repositories.rdm_record import communities
from harvester.words.leaves import Json, child, objects, words
from parfocal.secrets import Secret


class InvenioOptions(HttpOptions):
    """Settings of an ``invenio`` source."""

    query: str = Field("", description="Words of the archive's search that records must fit.")
    communities: tuple[str, ...] = Field((), description="Communities; none: the whole archive.")
    versions: Literal["latest", "all"] = Field(
        "latest", description="`latest`: one record for all versions; `all`: one for each."
    )
    page_size: int = Field(
        0, ge=0, le=1000, description="Hits of one answer; 0: 25, or 100 with a token."
    )
    token: Secret | None = Field(None, description="Token that shows what is restricted.")
    group: str = Field(
        "", description="Group that may see what is restricted; none: the name of the source."
    )

    @property
    def root(self) -> str:
        """Return the address of the archive without its interface."""
        return self.url.rstrip("/").removesuffix("/api")

    @property
    def headers(self) -> dict[str, str]:
        """Return what every request carries."""
        own = {"Authorization": f"Bearer {self.token.reveal()}"} if self.token else {}
        return {"Accept": "application/json", **own}

    def key(self, record: Json) -> str:
        """Return what identifies a record for ever: all its versions, or the one."""
        whole = words(child(record, "parent", "id")) or words(record.get("conceptrecid"))
        return (whole if self.versions == "latest" else "") or identity(record)

    def wanted(self, record: Json, scope: int) -> bool:
        """Whether a hit belongs here: the right version, and not told in an earlier community."""
        last = child(record, "versions", "is_latest")
        old = objects(child(record, "metadata", "relations", "version"))
        stale = last is False or any(one.get("is_last") is False for one in old)
        if stale and self.versions == "latest":
            return False
        names, listed = self.communities, communities(record)
        if not names:
            return True
        earlier_ones = set(names[:scope]) & set(listed)
        known = bool(set(names) & set(listed))
        return not earlier_ones and (names[scope] in listed or not known)
