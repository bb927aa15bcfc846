"""What is packed into functions and layers. Nothing here needs Docker or, once ``make layers`` ran, a network."""

from __future__ import annotations

from enum import StrEnum

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from infra.paths import BUILT_LAYERS, FUNCTIONS, LAYERS

_NEVER_SHIPPED = ["**/__pycache__", "**/*.pyc", "**/.mypy_cache", "**/tests"]


class Platform(StrEnum):
    """Where the functions run."""

    AWS = "aws"
    """Lambda on arm64; the dependencies come in layers that ``make layers`` builds."""
    LOCAL = "local"
    """The local cloud, whose interpreter has the dependencies installed already."""


class MissingAssetError(Exception):
    """Something that must be built before synthesis is not there."""


def function_code(name: str) -> lambda_.Code:
    """Return the code of ``functions/<name>``."""
    return lambda_.Code.from_asset(str(FUNCTIONS / name), exclude=_NEVER_SHIPPED)


def hallmark_layer_code() -> lambda_.Code:
    """Return the shared package without its command-line tool."""
    return lambda_.Code.from_asset(
        str(LAYERS / "hallmark"),
        exclude=[*_NEVER_SHIPPED, "python/hallmark/cli", "python/hallmark/cli/**"],
        ignore_mode=cdk.IgnoreMode.GLOB,
    )


def built_layer_code(name: str) -> lambda_.Code:
    """Return a layer of third-party packages that was built for Lambda.

    Raises:
        MissingAssetError: It has not been built.
    """
    folder = BUILT_LAYERS / name
    if not (folder / "python").is_dir():
        raise MissingAssetError(f"{folder} is missing: run `make layers` once (it needs the network), then try again")
    return lambda_.Code.from_asset(str(folder))
