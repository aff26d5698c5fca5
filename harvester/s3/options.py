"""The settings of a source ``s3``."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal, Self

from pydantic import AliasChoices, ConfigDict, Field, field_validator, model_validator
from yarl import URL

from harvester.asking.http_options import HttpOptions
from harvester.s3.signature import Keys
from parfocal.secrets import Secret

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


class S3Options(HttpOptions):
    """Settings of an ``s3`` source."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    url: str = Field(
        "https://s3.us-east-1.amazonaws.com",
        validation_alias=AliasChoices("url", "endpoint"),
        description="Address of the S3 service, without the bucket; `endpoint` means the same.",
    )
    concurrency: int = Field(16, ge=1, le=256, description="Requests at once to one host.")
    rate: float = Field(
        50.0, ge=0, le=100_000, description="Requests a second to one host; 0: no limit."
    )
    bucket: str = Field("", description="Name of the bucket to walk.")
    prefixes: tuple[str, ...] = Field(
        (), description="Beginnings of keys to walk, as folders; none: the whole bucket."
    )
    region: str = Field(
        "us-east-1",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="Region that requests are signed for.",
    )
    path_style: bool = Field(
        True, description="Put the bucket into the path; false: into the name of the host."
    )
    access_key: Secret | None = Field(
        None, description="Where the access key is kept; none: requests are not signed."
    )
    secret_key: Secret | None = Field(None, description="Where the secret key is kept.")
    session_token: Secret | None = Field(
        None, description="Where the session token of temporary keys is kept."
    )
    engine: Literal["http", "obstore"] = Field(
        "http",
        description="What asks for objects: http checks every redirect and waits as it is told;"
        " obstore is faster, for a service of your own.",
    )
    lists: tuple[str, ...] = Field(
        (), description="Files or addresses of lists of Zarr addresses: CSV, text or Parquet."
    )

    @field_validator("bucket")
    @classmethod
    def _is_bucket(cls, value: str) -> str:
        if value and not _BUCKET.fullmatch(value):
            raise ValueError("is no name of a bucket")
        return value

    @field_validator("prefixes")
    @classmethod
    def _are_folders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        folders = sorted({text.strip("/") + "/" if text.strip("/") else "" for text in value})
        for one, other in pairwise(folders):
            if other.startswith(one):
                raise ValueError(f"the prefix {other!r} lies within {one!r}")
        return tuple(folders)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.bucket) == bool(self.lists):
            raise ValueError("name either a bucket or lists")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together")
        return self

    def keys(self) -> Keys | None:
        """Return the credentials, or None when requests are not signed."""
        if self.access_key is None or self.secret_key is None:
            return None
        token = self.session_token.reveal() if self.session_token else ""
        return Keys(self.access_key.reveal(), self.secret_key.reveal(), token)

    def bucket_address(self) -> str:
        """Return the address of the bucket, without a slash at its end."""
        base = URL(self.url)
        if self.path_style:
            return f"{str(base).rstrip('/')}/{self.bucket}"
        return str(base.with_host(f"{self.bucket}.{base.host}")).rstrip("/")
