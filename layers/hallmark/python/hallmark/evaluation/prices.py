"""What calls cost: a dated price table, which is data (``prices.yaml``)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_TABLE = Path(__file__).with_name("prices.yaml")
_PREFIX = re.compile(r"^(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9]+\.)")


@cache
def _prices() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))["usd_per_million_tokens"]
    return table


def cost_usd(model_id: str, input_tokens: int, output_tokens: int) -> float | None:
    """Return what a call costs in US dollars; None for a model without a price.

    Args:
        model_id: Identifier, ARN or inference profile.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
    """
    name = _PREFIX.sub("", model_id.rpartition("/")[2])
    price = _prices().get(name)
    if price is None:
        return None
    return (input_tokens * float(price["input"]) + output_tokens * float(price["output"])) / 1_000_000
