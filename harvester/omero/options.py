"""Settings of an OMERO source."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from harvester.asking.http_options import HttpOptions
from parfocal.secrets import Secret


class OmeroOptions(HttpOptions):
    """Settings of an ``omero`` source."""

    username: str = Field("", description="User to log in as; none: what everybody may see.")
    password: Secret | None = Field(
        None,
        description="Where the user's password is: env:NAME, file:/path, keyring:service/user.",
    )
    server: str = Field(
        "", description="Name, host or number of the OMERO server, where the web offers several."
    )
    details: Literal["channels", "sizes", "listed"] = Field(
        "channels",
        description="What is asked of each new or changed image: channels (one request an image),"
        " sizes (one request a well), listed (none).",
    )
    roi_counts: bool = Field(
        True, description="Count regions of interest: one request for each new or changed image."
    )
    annotations: Literal["auto", "webclient", "api", "none"] = Field(
        "auto", description="Where annotations are read: webclient, api, whichever is open, or not."
    )
    first_look: Literal["objects", "counts"] = Field(
        "objects",
        description="How an unchanged container is known: by all its objects, or by its own words"
        " and its number of objects.",
    )
    complete_every: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days after which a walk asks for everything again; 0: never.",
    )
    unreachable: int = Field(
        0, ge=0, description="Images that may lie in nothing that the user can list."
    )
    page_size: int = Field(200, ge=2, le=500, description="Objects asked for at once.")
    groups: dict[str, tuple[str, ...]] = Field(
        {}, description="Groups here that see what a group of OMERO owns; else its own name."
    )
    public_groups: tuple[str, ...] = Field(
        (), description='Groups of OMERO whose objects everybody may see; "*" is all of them.'
    )

    @model_validator(mode="after")
    def _somebody_may_see(self) -> OmeroOptions:
        for group, here in self.groups.items():
            if not here:
                raise ValueError(f"groups.{group} names nobody; for everybody use public_groups")
        if self.password is not None and not self.username:
            raise ValueError("a password needs a username")
        return self
