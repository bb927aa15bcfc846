"""What calls cost: a dated price table, which is data (``prices.yaml``)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

_TABLE = Path(__file__).with_name("prices.yaml")
_GEOGRAPHY = re.compile(r"^(?:us-gov|us|eu|apac|jp|au|ca|global)\.(?=[a-z0-9]+\.)")
_CONTEXT_LENGTH = re.compile(r":(?:\d+k|mm)$")
_PRICED_RESOURCES = frozenset({"foundation-model", "inference-profile"})


class TokenPrice(BaseModel):
    """US dollars of a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)


class PriceTable(BaseModel):
    """Prices, when they held, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    as_of: str
    region: str
    source: str
    usd_per_million_tokens: dict[str, TokenPrice]
    """By identifier of the model or inference profile; a name with ``*`` stands for all that begin so."""

    def find(self, model_id: str) -> TokenPrice | None:
        """Return the price of a model, an inference profile or the ARN of either; None where the table has none.

        An inference profile without a price of its own costs what its model costs.
        """
        name = _name_of(model_id)
        if name is None:
            return None
        plain = _CONTEXT_LENGTH.sub("", name)
        for each in (name, plain, _GEOGRAPHY.sub("", plain)):
            price = self.usd_per_million_tokens.get(each)
            if price is not None:
                return price
        patterns = (each for each in self.usd_per_million_tokens if "*" in each)
        pattern = next((each for each in patterns if fnmatchcase(name, each)), None)
        return self.usd_per_million_tokens[pattern] if pattern else None


def _name_of(model_id: str) -> str | None:
    """Return what a model is called in the table; None for what has its own price: provisioned, custom, imported."""
    if not model_id.startswith("arn:"):
        return model_id
    resource, _, name = model_id.rpartition(":bedrock:")[2].partition(":")[2].partition(":")[2].partition("/")
    return name if resource in _PRICED_RESOURCES else None


@cache
def price_table() -> PriceTable:
    """Read the table that comes with Hallmark."""
    import yaml  # noqa: PLC0415 - functions that only name prices have no layer with it

    return PriceTable.model_validate(yaml.safe_load(_TABLE.read_text(encoding="utf-8")))


def cost_usd(model_id: str, input_tokens: int, output_tokens: int) -> float | None:
    """Return what a call costs in US dollars; None, and never 0, for a model without a price.

    Args:
        model_id: Identifier, ARN or inference profile.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
    """
    price = price_table().find(model_id)
    return None if price is None else (input_tokens * price.input + output_tokens * price.output) / 1_000_000
