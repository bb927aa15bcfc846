from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hallmark.lineage.exports.cyclonedx import cyclonedx
from hallmark.lineage.exports.material import Material, document_text, gather
from hallmark.lineage.model import EdgeType, NodeKind
from tests.fakes.described_lineage import ENDPOINT, PACKAGE, TRAINING, described
from tests.fakes.lineage_service import ACCOUNT, BUCKET, Lineage, shipped_twice


def faults(document: dict[str, Any]) -> str | None:
    found = JsonStrictValidator(SchemaVersion.V1_7).validate_str(document_text(document))
    return None if found is None else str(found)


def bill_of(lineage: Lineage, node: str, nodes: int = 300) -> dict[str, Any]:
    found = gather(lineage.answer, node, nodes=nodes)
    assert isinstance(found, Material)
    return cyclonedx(found)


def component(document: dict[str, Any], ref: str) -> dict[str, Any]:
    return next(
        found for found in (document["metadata"]["component"], *document["components"]) if found["bom-ref"] == ref
    )


@pytest.mark.parametrize("node", [ENDPOINT, PACKAGE, f"{ACCOUNT}:model/wine-v2", TRAINING, f"{BUCKET}/wine/raw"])
def test_every_bill_is_valid_by_the_strict_schema(node: str) -> None:
    assert faults(bill_of(described(), node)) is None
    assert faults(bill_of(shipped_twice(), node)) is None


def test_the_strict_schema_rejects_what_it_does_not_know() -> None:
    document = bill_of(described(), PACKAGE)
    document["metadata"]["component"]["modelCard"]["invented"] = True

    assert faults(document) is not None


def test_the_model_card_tells_metrics_data_and_hyperparameters() -> None:
    card = component(bill_of(described(), PACKAGE), PACKAGE)["modelCard"]
    metrics = {(found["type"], found["slice"]): found for found in card["quantitativeAnalysis"]["performanceMetrics"]}

    assert card["modelParameters"]["datasets"] == [
        {"ref": f"{BUCKET}/wine/v2/test#sha256:2c00cccc"},
        {"ref": f"{BUCKET}/wine/v2/train#sha256:2b00bbbb"},
    ]
    assert metrics["validation:accuracy", "training run wine-tune-v2-001"]["value"] == "0.9625"
    assert metrics["accuracy", "gate staging: wine v2"]["confidenceInterval"] == {
        "lowerBound": "0.93",
        "upperBound": "0.98",
    }
    assert metrics["accuracy", "evaluation wine quality"]["value"] == "0.96"
    assert {"name": "hallmark:hyperparameter:max_depth", "value": "7"} in card["properties"]


def test_every_reference_of_a_bill_is_a_component_of_it() -> None:
    document = bill_of(described(), ENDPOINT)
    known = {found["bom-ref"] for found in (document["metadata"]["component"], *document["components"])}
    named = {ref for found in document["dependencies"] for ref in (found["ref"], *found["dependsOn"])}
    named |= {
        dataset["ref"]
        for found in document["components"]
        for dataset in found.get("modelCard", {}).get("modelParameters", {}).get("datasets", ())
    }

    assert named <= known
    assert len(known) == 1 + len(document["components"])


def test_a_model_depends_on_data_code_and_image_whatever_ran_in_between() -> None:
    depends = {found["ref"]: found["dependsOn"] for found in bill_of(described(), PACKAGE)["dependencies"]}

    assert {kind for ref in depends[PACKAGE] for kind in (ref.partition(":")[0],)} >= {"s3", "git"}
    assert depends[f"{BUCKET}/wine/v2/train#sha256:2b00bbbb"] == sorted(
        [
            "git:https://example.com/wine@9d4fa1c2",
            f"{BUCKET}/wine/raw#sha256:2a00aaaa",
            "sagemaker-scikit-learn@sha256:3f8c1d22",
        ]
    )


def test_a_whole_sha256_is_a_hash_and_a_shortened_one_is_none() -> None:
    lineage, digest = Lineage(), "ab" * 32
    package = lineage.node(NodeKind.MODEL_PACKAGE, "m")
    whole, short = lineage.version("data/one", 1, digest), lineage.version("data/two", 1, "abcd")
    lineage.flow(whole, package, "model-data")
    lineage.flow(short, package, "report")
    document = bill_of(lineage, package)

    assert component(document, whole)["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert "hashes" not in component(document, short)


def test_the_runs_behind_a_report_do_not_train_the_model() -> None:
    """Test data may come from another model: that one's training is not this one's."""
    lineage = described()
    other = lineage.node(NodeKind.TRAINING_JOB, "teacher", status="Completed")
    report = lineage.version("reports/wine", 1, "feed")
    lineage.attributes[other] = {"metrics": {"loss": 3.0}}
    lineage.flow(other, report, "report", type_=EdgeType.PRODUCED)
    lineage.flow(report, PACKAGE, "model-quality-statistics")
    card = component(bill_of(lineage, PACKAGE), PACKAGE)["modelCard"]

    assert "loss" not in {found["type"] for found in card["quantitativeAnalysis"]["performanceMetrics"]}


def test_a_bill_that_was_cut_says_that_it_is_incomplete() -> None:
    whole, cut = bill_of(described(), ENDPOINT), bill_of(described(), ENDPOINT, nodes=4)

    assert [bill["compositions"][0]["aggregate"] for bill in (whole, cut)] == ["complete", "incomplete"]
    assert faults(cut) is None


def test_the_serial_number_names_the_content() -> None:
    first, again, other = (bill_of(described(), node) for node in (PACKAGE, PACKAGE, ENDPOINT))

    assert json.dumps(first) == json.dumps(again)
    assert first["serialNumber"] != other["serialNumber"]
