"""Matchers: which alerts a route, a silence or an inhibition is about."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

Labels = Mapping[str, str]
"""Labels of an alert, with ``name`` and ``severity`` among them; a label that is missing counts as empty."""


def _to_patterns(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {label: (patterns,) if isinstance(patterns, str) else patterns for label, patterns in value.items()}


def _check(matchers: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for label, patterns in matchers.items():
        if not patterns:
            raise ValueError(f"{label} matches nothing: name a value, a list of values, or leave the label out")
    return matchers


Matchers = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_to_patterns), AfterValidator(_check)]
"""Label -> values, one of which must fit; ``*`` stands for any text, ``!`` in front for anything but this."""


def fits(matchers: Mapping[str, tuple[str, ...]], labels: Labels) -> bool:
    """Tell whether every matcher fits; no matchers fit everything."""
    return all(_fits_one(patterns, labels.get(label, "")) for label, patterns in matchers.items())


def covers(wider: Mapping[str, tuple[str, ...]], narrower: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell whether whatever fits ``narrower`` certainly fits ``wider``, too."""
    return all(
        label in narrower
        and all(pattern in patterns or _fits_literally(patterns, pattern) for pattern in narrower[label])
        for label, patterns in wider.items()
    )


def _fits_literally(patterns: tuple[str, ...], value: str) -> bool:
    return not value.startswith("!") and "*" not in value and _fits_one(patterns, value)


def _fits_one(patterns: tuple[str, ...], value: str) -> bool:
    refused = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    if any(fnmatchcase(value, pattern) for pattern in refused):
        return False
    return not wanted or any(fnmatchcase(value, pattern) for pattern in wanted)
