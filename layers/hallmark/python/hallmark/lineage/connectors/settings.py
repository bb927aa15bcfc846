"""Which servers of other tools policy names, and how often they are looked at."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hallmark.durations import Duration

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def _is_name(value: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9-]{0,39}", value) is None:
        raise ValueError(
            "write a short name in lower-case letters, digits, hyphens: it is part of the ids of its things"
        )
    return value


def _is_address(value: str) -> str:
    parts = urlsplit(value)
    is_plain_here = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or not (parts.scheme == "https" or is_plain_here) or parts.query or parts.username:
        raise ValueError("write https://host without a login or a query: the token is in the secret")
    return value.rstrip("/")


def _is_place(value: str) -> str:
    if value and re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.*)?", value) is None:
        raise ValueError("write s3://bucket/prefix, as the server's --artifacts-destination says")
    return value


class ToolServer(BaseModel):
    """A server that is looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Annotated[str, AfterValidator(_is_name)]
    """Part of the ids of its things: another name later would make other nodes."""
    url: Annotated[str, AfterValidator(_is_address)]
    secret: str = Field(default="", max_length=512)
    """Of Secrets Manager: a token, or JSON with ``token`` or ``username`` and ``password``, and ``webhook_secret``."""
    every: Duration = Field(default=timedelta(minutes=15), ge=timedelta(minutes=1))
    requests_per_second: float = Field(default=5.0, gt=0, le=100)


class MlflowServer(ToolServer):
    """An MLflow server."""

    artifacts: Annotated[str, AfterValidator(_is_place)] = ""
    """Where artifacts lie that the server hands out itself (``mlflow-artifacts:``)."""


class KubeflowServer(ToolServer):
    """The API of Kubeflow Pipelines."""

    namespaces: tuple[str, ...] = ()
    """Kubernetes namespaces, in a multi-user installation; none for all that the API tells without one."""


class ConnectorsPolicy(BaseModel):
    """The servers of the section ``lineage``; what else stands there is for others."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    mlflow: tuple[MlflowServer, ...] = ()
    kubeflow: tuple[KubeflowServer, ...] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        for servers in (self.mlflow, self.kubeflow):
            names = [server.name for server in servers]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{', '.join(twice)} stands there twice: give each server a name of its own")
        return self
