"""The settings that every source has that asks servers."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harvester.asking.addresses import Network, parse_address
from parfocal import __version__
from parfocal.errors import SourceRefused


class HttpOptions(BaseModel):
    """Settings of every source that asks servers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="Address of the archive.")
    concurrency: int = Field(4, ge=1, le=256, description="Requests at once to one host.")
    rate: float = Field(
        5.0, ge=0, le=100_000, description="Requests a second to one host; 0: no limit."
    )
    timeout: float = Field(60.0, gt=0, le=3600, description="Seconds that a whole answer may take.")
    retries: int = Field(5, ge=0, le=100, description="How often a failed request is repeated.")
    retry_wait: float = Field(
        1.0, ge=0, le=600, description="Seconds before the first repeat; doubled for each further."
    )
    max_mb: int = Field(64, ge=1, le=4096, description="Largest answer, in MiB, unpacked.")
    allow_networks: tuple[str, ...] = Field(
        (),
        description="Networks that are not public but that addresses found in records may lead to.",
    )
    ca_file: Path | None = Field(
        None, description="File with certificates of authorities of your own."
    )
    contact: str = Field(
        "", max_length=200, description="E-mail or page that servers are told for questions."
    )

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            parse_address(value)
        except SourceRefused as error:
            raise ValueError(error.message) from error
        return value

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @field_validator("contact")
    @classmethod
    def _is_one_line(cls, value: str) -> str:
        if not value.isprintable() or set(value) & set("()"):
            raise ValueError("a contact is an e-mail address or a web address")
        return value

    def homes(self) -> tuple[str, ...]:
        """Return the addresses that the operator named: those may lie on any network."""
        return (self.url,)

    @property
    def user_agent(self) -> str:
        """Return what servers are told about who asks."""
        return f"parfocal/{__version__}" + (f" (+{self.contact})" if self.contact else "")

    def networks(self) -> tuple[Network, ...]:
        """Return the networks that are allowed beside the public ones."""
        return tuple(ipaddress.ip_network(network) for network in self.allow_networks)
