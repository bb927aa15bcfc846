"""A real workflow on the local cloud: its lineage, its mirror in SageMaker Lineage, and what a sweep finds."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from examples.wine_cultivars.workflow import ENDPOINT, GROUP
from hallmark.cli.reason_screens import why_screen
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import read_answer
from hallmark.lineage.reasoned import WhyAnswer

pytestmark = pytest.mark.e2e


def raw_data(deployed: Any) -> str:
    return f"s3://sagemaker-{deployed.cloud.region}-{deployed.cloud.account}/wine-cultivars/raw"


def test_the_lineage_of_the_endpoint_reaches_the_content_of_the_raw_data(shipped: Any) -> None:
    answer = shipped.ask("trace", node=f"endpoint:{ENDPOINT}", direction="up")

    keys = {node["key"] for node in answer["nodes"]}
    kinds = {node["kind"] for node in answer["nodes"]}
    assert any(key.startswith(f"{raw_data(shipped)}#sha256:") for key in keys)
    assert kinds >= {
        *("endpoint-config", "model", "model-package", "training-job", "hyper-parameter-tuning-job"),
        *("processing-job", "dataset-version", "image", "code"),
    }
    assert answer["complete"] is True


def test_each_version_was_made_from_the_raw_data_of_its_time(shipped: Any) -> None:
    found = {}
    for version in (1, 2):
        answer = shipped.ask("trace", node=f"{GROUP}:{version}", direction="up")
        found[version] = {
            node["key"] for node in answer["nodes"] if node["key"].startswith(f"{raw_data(shipped)}#sha256:")
        }

    assert [len(versions) for versions in found.values()] == [1, 1]
    assert found[1] != found[2]


def test_the_endpoint_tells_which_package_replaced_which(shipped: Any) -> None:
    answer = shipped.ask("show", node=f"endpoint:{ENDPOINT}")

    replaced = [(entry["before"], entry["after"]) for entry in answer["history"] if entry["field"] == "model_package"]
    assert replaced == [(None, f"{GROUP} v1"), (f"{GROUP} v1", f"{GROUP} v2")]


def test_the_past_can_be_asked(shipped: Any) -> None:
    history = shipped.ask("show", node=f"endpoint:{ENDPOINT}")["history"]
    served = [entry["at"] for entry in history if entry["field"] == "status" and entry["after"] == "InService"]

    then = shipped.ask("trace", node=f"endpoint:{ENDPOINT}", as_of=served[0], depth=1)
    now = shipped.ask("trace", node=f"endpoint:{ENDPOINT}", as_of=served[-1], depth=1)

    assert [node["label"] for node in then["nodes"][1:]] == ["wine-cultivars-v1"]
    assert [node["label"] for node in now["nodes"][1:]] == ["wine-cultivars-v2"]


def test_the_difference_of_two_versions_names_the_data_and_the_metrics(shipped: Any) -> None:
    answer = shipped.ask("diff", left=f"{GROUP}:1", right=f"{GROUP}:2")

    sections = {item["section"] for item in answer["differences"]}
    added = [item for item in answer["differences"] if item["field"].endswith(": added")]
    assert {"data", "metrics"} <= sections
    assert "code" not in sections
    assert [item["right"] for item in added] == ["batch-3.csv"]


def test_the_impact_of_the_raw_data_is_the_endpoint_first(shipped: Any) -> None:
    answer = shipped.ask("impact", node=raw_data(shipped))

    counts = {affected["kind"]: affected["count"] for affected in answer["affected"]}
    assert answer["affected"][0]["kind"] == "endpoint"
    assert (counts["endpoint"], counts["model-package"]) == (1, 2)
    # Four of each tuning job; where its drift was looked at, the model was trained again besides.
    assert counts["training-job"] in {8, 9}


def test_an_approval_is_in_the_history_of_its_package(shipped: Any) -> None:
    history = shipped.ask("show", node=f"{GROUP}:1")["history"]

    approvals = [entry["after"] for entry in history if entry["field"] == "approval_status"]
    assert approvals == ["PendingManualApproval", "Approved"]


def test_the_snapshot_of_an_input_is_mirrored_into_sagemaker_lineage(shipped: Any) -> None:
    sagemaker = shipped.client("sagemaker")
    best = shipped.ask("trace", node=f"{GROUP}:1", direction="up")
    version = next(
        edge["source"] for edge in best["edges"] if edge["role"] == "train" and ":training-job/" in edge["target"]
    )

    def mirrored() -> list[Any]:
        found: list[Any] = sagemaker.list_artifacts(SourceUri=version.replace("sha256:", "sha256="))[
            "ArtifactSummaries"
        ]
        return found

    artifact = shipped.eventually(mirrored)[0]["ArtifactArn"]

    def associated() -> list[Any]:
        found: list[Any] = sagemaker.list_associations(SourceArn=artifact)["AssociationSummaries"]
        return [summary for summary in found if "trial-component" in summary["DestinationArn"]]

    assert shipped.eventually(associated)
    assert sagemaker.describe_artifact(ArtifactArn=artifact)["Properties"]["objects"] == "1"


def test_a_sweep_finds_that_everything_is_recorded_already(shipped: Any) -> None:
    queue = shipped.outputs["ReconciliationQueueUrl"]

    shipped.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"full": True}))

    def finished() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = shipped.items(
            "LineageTableName",
            FilterExpression="begins_with(pk, :cursor)",
            ExpressionAttributeValues={":cursor": {"S": "CURSOR#reconciliation/training-job"}},
        )
        return found

    shipped.eventually(finished)
    assert shipped.dead_letters("Reconciliation") == []


def test_nothing_of_the_workflow_ended_in_the_dead_letters(shipped: Any) -> None:
    letters = [
        (name, letter["Body"][:400], letter.get("MessageAttributes"))
        for name in ("Recording", "Reconciliation", "Questions", "Mirror")
        for letter in shipped.dead_letters(name)
    ]

    assert letters == []


def test_one_screen_says_why_the_endpoint_serves_what_it_serves(shipped: Any) -> None:
    answer = read_answer(shipped.ask("why", node=f"endpoint:{ENDPOINT}"))
    assert isinstance(answer, WhyAnswer)
    out = StringIO()
    Console(file=out, width=100).print(why_screen(answer))

    [serving], [origin] = answer.serving, answer.models
    assert serving.package is not None
    assert (serving.package.label, serving.package.version) == (f"{GROUP} v2", "1.1.0")
    assert answer.replaced is not None
    assert [each.package.label for each in answer.replaced.models if each.package] == [f"{GROUP} v1"]
    assert origin.made_by is not None
    assert origin.made_by.kind is NodeKind.TRAINING_JOB
    assert {use.role for use in origin.data} >= {"train"}
    assert origin.code
    assert len(out.getvalue().splitlines()) <= 40, out.getvalue()


def test_what_was_live_before_the_second_version_is_told_and_what_its_deletion_would_break(shipped: Any) -> None:
    history = shipped.ask("show", node=f"endpoint:{ENDPOINT}")["history"]
    first, *_, last = [entry["at"] for entry in history if entry["field"] == "status" and entry["after"] == "InService"]

    served = [
        [model["package"]["label"] for each in shipped.ask("live", contains=ENDPOINT, as_of=when)["endpoints"]
         for model in each["models"]]
        for when in (first, last)
    ]  # fmt: skip
    assert served == [[f"{GROUP} v1"], [f"{GROUP} v2"]]
    [model] = [
        edge["source"] for edge in shipped.ask("show", node=f"{GROUP}:2")["upstream"] if edge["role"] == "model-data"
    ]
    radius = shipped.ask("blast", act="delete", target=model.partition("#")[0])
    effects = {each["effect"]: [hit["node"]["label"] for hit in each["hits"]] for each in radius["effects"]}
    assert ENDPOINT in effects["breaks"]
    rejected = shipped.ask("blast", act="reject", target=f"{GROUP}:1")
    assert "must change" not in {each["effect"] for each in rejected["effects"]}


def test_the_change_between_two_versions_is_found_where_the_metric_fell(shipped: Any) -> None:
    differences = shipped.ask("diff", left=f"{GROUP}:1", right=f"{GROUP}:2")["differences"]
    metric, better = next(
        (each["field"], "higher" if each["left"] > each["right"] else "lower")
        for each in differences
        if each["section"] == "metrics" and None not in {each["left"], each["right"]}
    )
    answer = shipped.ask("bisect", metric=metric, node=f"model-package-group:{GROUP}", better=better)

    assert answer["first_bad"]["label"] == f"{GROUP} v2"
    assert "data" in {each["difference"]["section"] for each in answer["suspects"]}
    assert {each["suspicion"] for each in answer["suspects"]} == {0.5}
