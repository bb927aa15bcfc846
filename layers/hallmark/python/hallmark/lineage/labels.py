"""What a node is called: on the screen, and by people who ask for it."""

from __future__ import annotations

import re

from hallmark.lineage.model import NodeKind

_SHORT_DIGEST = 8
_PACKAGE = re.compile(r":model-package/([^/]+/\d+)$")


def short_name(identifier: str) -> str:
    """Return the end of an id: what follows the last slash, without a snapshot's digest."""
    return identifier.partition("#")[0].rstrip("/").rpartition("/")[2] or identifier


def package_name(identifier: str) -> str | None:
    """Return ``group/version`` of a versioned model package."""
    match = _PACKAGE.search(identifier)
    return match[1] if match else None


def spoken_names(identifier: str, name: str) -> set[str]:
    """Return the names, in lower case, by which people ask for a node: for a package ``group/3`` and its like too."""
    names = {short_name(identifier).lower(), name.lower()}
    package = package_name(identifier)
    if package is not None:
        names |= {package.lower().replace("/", separator) for separator in ("/", ":", " v")}
    return names


def label_of(kind: NodeKind, identifier: str, name: str, version: int) -> str:  # noqa: PLR0911 - one case a kind
    """Return a node's short name for people: versions and digests shortened.

    Args:
        kind: What it is.
        identifier: Its id.
        name: What its states call it.
        version: The number of a dataset version; 0 for all else.
    """
    if kind is NodeKind.DATASET_VERSION:
        place, _, digest = identifier.rpartition("#")
        return f"{short_name(place)} v{version} ({digest.removeprefix('sha256:')[:_SHORT_DIGEST]})"
    if kind is NodeKind.DATASET:
        return identifier
    if kind is NodeKind.IMAGE:
        last = identifier.rpartition("/")[2]
        repository, _, digest = last.partition("@sha256:")
        return f"{repository}@{digest[:_SHORT_DIGEST]}" if digest else last
    if kind is NodeKind.CODE:
        place, _, commit = identifier.removeprefix("git:").rpartition("@")
        return f"{short_name(place).removesuffix('.git') or 'commit'}@{commit[:_SHORT_DIGEST]}"
    package = package_name(identifier) if kind is NodeKind.MODEL_PACKAGE else None
    if package is not None:
        return package.replace("/", " v")
    if kind is NodeKind.PIPELINE_EXECUTION:
        return "/".join(identifier.split("/")[-3:][::2])
    return name
