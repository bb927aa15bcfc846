"""The card is held against CloudFormation's schema of ``AWS::SageMaker::ModelCard``, which has the same shape."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from hallmark.errors import NotFoundError
from hallmark.lineage.exports.material import Material, gather
from hallmark.lineage.exports.model_card import model_card
from hallmark.lineage.model import NodeKind
from tests.fakes.described_lineage import ENDPOINT, PACKAGE, described
from tests.fakes.lineage_service import Lineage, shipped_twice

_FREE = {"custom_details", "metadata"}
"""Objects whose names are the user's."""


def schema() -> dict[str, Any]:
    found = files("cfnlint.data.schemas")
    names = json.loads(found.joinpath("providers", "us-east-1.json").read_text())
    file = found.joinpath("resources", f"{names['AWS::SageMaker::ModelCard']}.json")
    whole = json.loads(file.read_text())
    return {"$ref": "#/definitions/Content", "definitions": whole["definitions"]}


def as_cloudformation(value: Any, *, free: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            name if free else "".join(part.capitalize() for part in name.split("_")): as_cloudformation(
                inner, free=name in _FREE
            )
            for name, inner in value.items()
        }
    return [as_cloudformation(item) for item in value] if isinstance(value, list) else value


def card_of(lineage: Lineage, node: str) -> dict[str, Any]:
    found = gather(lineage.answer, node)
    assert isinstance(found, Material)
    return model_card(found)


@pytest.mark.parametrize("node", [ENDPOINT, PACKAGE])
def test_a_card_fits_the_schema(node: str) -> None:
    for lineage in (described(), shipped_twice()):
        jsonschema.Draft7Validator(schema()).validate(as_cloudformation(card_of(lineage, node)))


def test_the_schema_refuses_what_it_does_not_know() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema()).validate(as_cloudformation({"model_overview": {"colour": "red"}}))


def test_texts_that_are_longer_than_a_card_allows_are_cut_to_fit() -> None:
    lineage, long = Lineage(), "x" * 5_000
    package = lineage.node(NodeKind.MODEL_PACKAGE, long[:900])
    job = lineage.node(NodeKind.TRAINING_JOB, long[:900] + "job", status="Completed")
    lineage.attributes[package] = {"group": long, "version": 1, "approval_description": long, "description": long}
    lineage.attributes[job] = {
        "hyperparameters": {f"{number}{long}": long for number in range(200)},
        "metrics": {f"{number}{long}": 1.0 for number in range(200)},
    }
    lineage.flow(job, package, "generated-by")

    jsonschema.Draft7Validator(schema()).validate(as_cloudformation(card_of(lineage, package)))


def test_a_card_tells_the_model_its_training_and_its_tests() -> None:
    card = card_of(described(), ENDPOINT)
    job = card["training_details"]["training_job_details"]
    accuracy = {"name": "accuracy", "type": "number", "value": 0.96}

    assert card["model_package_details"]["model_approval_status"] == "Approved"
    assert card["model_overview"]["model_version"] == 2
    assert {"name": "validation:accuracy", "value": 0.9625} in job["training_metrics"]
    assert {"name": "max_depth", "value": "7"} in job["hyper_parameters"]
    assert any(
        metric == accuracy or metric.items() >= accuracy.items()
        for found in card["evaluation_details"]
        for group in found.get("metric_groups", ())
        for metric in group["metric_data"]
    )


def test_where_no_model_is_known_there_is_no_card() -> None:
    lineage = Lineage()
    place = lineage.node(NodeKind.DATASET, "s3://b/raw", key="s3://b/raw")
    found = gather(lineage.answer, place)
    assert isinstance(found, Material)

    with pytest.raises(NotFoundError, match="name a model or an endpoint"):
        model_card(found)
