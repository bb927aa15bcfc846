"""The price table."""

from __future__ import annotations

import pytest

from hallmark.evaluation.prices import PriceTable, cost_usd, price_table

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("amazon.nova-lite-v1:0", 0.30),
        ("us.amazon.nova-lite-v1:0", 0.30),
        ("eu.amazon.nova-lite-v1:0", 0.39),  # a price of its own
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", 18.0),
        ("jp.anthropic.claude-sonnet-4-5-20250929-v1:0", 19.8),
        ("anthropic.claude-3-sonnet-20240229-v1:0:28k", 18.0),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", 0.30),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0", 0.30),
        ("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-lite-v1:0", 0.30),
        ("local/llama", 0.0),
    ],
)
def test_a_model_costs_what_the_table_says(model: str, usd: float) -> None:
    assert cost_usd(model, MILLION, MILLION) == pytest.approx(usd)


@pytest.mark.parametrize(
    "model",
    [
        "nobody.knows-v1:0",
        "",
        "us.",
        "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0:300k/abcdef",
        "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdef",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/amazon.nova-lite-v1:0",
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/amazon.nova-lite-v1:0",
    ],
)
def test_a_model_without_a_price_costs_none_and_not_zero(model: str) -> None:
    assert cost_usd(model, MILLION, MILLION) is None


def test_input_and_output_are_priced_apart() -> None:
    assert cost_usd("amazon.nova-pro-v1:0", 1000, 0) == pytest.approx(0.0008)
    assert cost_usd("amazon.nova-pro-v1:0", 0, 1000) == pytest.approx(0.0032)


def test_the_table_says_when_and_whence() -> None:
    table = price_table()

    assert table.as_of == "2026-04"
    assert table.source.startswith("https://aws.amazon.com/bedrock/pricing/")
    assert len(table.usd_per_million_tokens) > 100


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        PriceTable.model_validate(
            {"as_of": "x", "region": "x", "source": "x", "usd_per_million_tokens": {"a": {"input": -1, "output": 1}}}
        )
