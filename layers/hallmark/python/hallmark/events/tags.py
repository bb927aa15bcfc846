"""One reader for both ways in which AWS writes tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator


def parse_tags(value: object) -> dict[str, str] | None:
    """Read tags as a map, or as a list of ``{"Key": …, "Value": …}`` in either case; None for nothing.

    Raises:
        ValueError: It is neither.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {str(key): "" if item is None else str(item) for key, item in value.items()}
    if isinstance(value, list):
        return dict(_pair(item) for item in value)
    raise ValueError("tags are a map, or a list of Key and Value")


def _pair(item: object) -> tuple[str, str]:
    if isinstance(item, Mapping):
        folded: dict[str, Any] = {str(key).lower(): value for key, value in item.items()}
        if "key" in folded:
            value = folded.get("value")
            return str(folded["key"]), "" if value is None else str(value)
    raise ValueError("tags are a map, or a list of Key and Value")


Tags = Annotated[dict[str, str] | None, BeforeValidator(parse_tags)]
