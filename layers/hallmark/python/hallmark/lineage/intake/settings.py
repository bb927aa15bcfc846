"""What ``hallmark.yaml`` says of lineage that comes from other tools, and goes to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hallmark.lineage.intake.naming import canonical_uri


def _is_uri(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S{1,1500}", value):
        raise ValueError("write where the data lies as it is named in lineage: s3://bucket/prefix, arn:aws:glue:…")
    return value


def _is_endpoint(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", value):
        raise ValueError("write the address of the OpenLineage endpoint: https://HOST/api/v1/lineage")
    if value.startswith("http://") and not re.match(r"http://(localhost|127\.0\.0\.1|\[::1\])(:|/|$)", value):
        raise ValueError("take https: what is sent names data, people and models")
    return value


Place = Annotated[str, AfterValidator(_is_uri)]
Endpoint = Annotated[str, AfterValidator(_is_endpoint)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class IntakePolicy(_Settings):
    """How other tools' names are read."""

    keep_partitions: bool = False
    """Whether ``…/dt=2026-01-01`` is a dataset of its own; otherwise it is the table in which it lies."""
    known_sources: tuple[str, ...] = ()
    """Beginnings of names of data that no run is expected to have written: they never count as unmatched."""
    unmatched_inputs: int = Field(default=10, ge=1, le=100_000)
    """Inputs within an hour that match nothing which lineage knows, from which on an alarm says so."""


class OpenLineageTarget(_Settings):
    """Where run events are sent, as they come to be."""

    url: Endpoint
    secret: str | None = Field(default=None, pattern=r"^[A-Za-z0-9/_+=.@-]{1,512}$")
    """Name of the secret (Secrets Manager) that holds the API key, sent as ``Authorization: Bearer``."""


class CatalogTarget(_Settings):
    """A domain of SageMaker Catalog (Amazon DataZone) that gets run events, too."""

    domain: str = Field(pattern=r"^dzd[-_][a-zA-Z0-9_-]{1,36}$")


class ForeignLineagePolicy(BaseModel):
    """The part of the section ``lineage`` that is about other tools; the rest of it is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    aliases: Mapping[Place, Place] = Field(default_factory=dict, max_length=500)
    """Other names of the same data: ``hdfs://warehouse/sales: s3://bucket/sales``; what lies below is meant, too."""
    intake: IntakePolicy = Field(default_factory=IntakePolicy)
    openlineage: OpenLineageTarget | None = None
    catalog: CatalogTarget | None = None

    @model_validator(mode="after")
    def _aliases_end(self) -> Self:
        spelled = {canonical_uri(name): canonical_uri(target) for name, target in self.aliases.items()}
        for start, target in spelled.items():
            met, last = {start}, target
            while last in spelled and last not in met:
                met.add(last)
                last = spelled[last]
            if last in met:
                raise ValueError(f"the aliases of {start} lead back to it: let one of the names be the last")
        return self
