"""From a verdict to what follows it, through the deployed workflows with IAM enforced."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest

from hallmark.attestations.envelopes import read_public_key
from tests.e2e.gate_actions import GateActions
from tests.fakes.foreign_dsse import accepts

pytestmark = pytest.mark.e2e

STAGING = ("moves-staging", "trial")
PRODUCTION = ("moves-production", "release")

# Losses by step: one that falls, and one that explodes after it fell.
TRAIN = """
import time
for step, loss in enumerate({losses}):
    print(f"step={{step}} loss={{loss}}", flush=True)
    time.sleep(1.1)
time.sleep({rest})
"""


@pytest.fixture(scope="module")
def actions(deployed: Any) -> GateActions:
    return GateActions(deployed)


@pytest.fixture(scope="module")
def approver(actions: GateActions) -> dict[str, str]:
    return actions.person(f"approver-{uuid.uuid4().hex[:6]}")


def test_a_model_that_failed_its_gate_is_rejected_with_the_reason_and_lineage_knows_why(
    deployed: Any, actions: GateActions
) -> None:
    package = actions.package("moves-rejected")

    verdict = actions.tell(*STAGING, package, "failed")
    told = actions.heard("ModelRejected", model=package)

    described = actions.describe(package)
    assert described["ModelApprovalStatus"] == "Rejected"
    assert described["ApprovalDescription"] == (
        f"Gate moves-staging (trial) failed. accurate: 0.61 is less than 0.8. Verdict: {verdict}"
    )
    assert "ModelLifeCycle" not in described
    node = told["lineage"]["node"]["id"]
    shown = deployed.eventually(
        lambda: (found := deployed.ask("show", node=node))["answer"] == "show" and len(found["upstream"]) == 2 and found
    )
    assert {edge["source"] for edge in shown["upstream"]} == {verdict, package}
    assert len({each["lineage"]["node"]["id"] for each in actions.all_heard("ModelRejected", model=package)}) == 1


def test_a_verdict_that_somebody_put_on_the_bus_moves_nothing(deployed: Any, actions: GateActions) -> None:
    package = actions.package("moves-forged")

    verdict = actions.tell(*STAGING, package, "passed", forged=True)

    def letters() -> list[dict[str, Any]]:
        return [each for each in deployed.dead_letters("Actions") if verdict in each["Body"]]

    letter = deployed.eventually(letters)[0]
    assert "who put this event on the bus" in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert "ModelLifeCycle" not in actions.describe(package)
    assert actions.all_heard("ModelPromoted", model=package) == []


def test_a_model_that_passed_moves_on_to_the_next_gates_stage(actions: GateActions) -> None:
    package = actions.package("moves-passed")

    actions.tell(*STAGING, package, "passed")
    actions.heard("ModelPromoted", model=package, toStage="Production")

    described = actions.describe(package)
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    life_cycle = described["ModelLifeCycle"]
    assert (life_cycle["Stage"], life_cycle["StageStatus"]) == ("Production", "PendingApproval")


def test_a_verdict_about_other_bytes_moves_nothing_and_somebody_is_alerted(deployed: Any, actions: GateActions) -> None:
    package = actions.package("moves-exchanged")

    verdict = actions.tell(*STAGING, package, "passed", of_other_bytes=True)
    told = actions.heard("PromotionRefused", model=package)

    assert (told["verdict"], told["fault"]) == (verdict, "model")
    assert "ModelLifeCycle" not in actions.describe(package)
    assert actions.all_heard("ModelPromoted", model=package) == []
    fired = deployed.eventually(
        lambda: [
            each
            for each in deployed.call("QueryAlertsFunctionName", {"ask": "open"})["alerts"]
            if each["name"] == "PromotionRefused" and package in json.dumps(each)
        ]
    )
    assert fired[0]["severity"] == "error"


def test_a_verdict_is_signed_and_verified_by_somebody_elses_library_and_taken_back_by_name(
    actions: GateActions, approver: dict[str, str], tmp_path: Path
) -> None:
    package = actions.package("moves-signed")
    verdict = actions.tell(*PRODUCTION, package, "passed")
    signed = actions.heard("AttestationSigned", subject=verdict)
    file, key = tmp_path / "verdict.json", tmp_path / "key.pem"

    shown = actions.command(approver, "show", verdict, "-o", str(file), group="attest")
    key.write_text(actions.command(approver, "key", group="attest").stdout)
    verified = actions.command({}, "verify", str(file), "--key", str(key), group="attest")
    assert shown.returncode == 0, shown.stderr
    assert verified.returncode == 0, verified.stderr
    assert accepts(file.read_bytes(), read_public_key(key.read_text()))
    file.write_text(file.read_text().replace('"payload":"', '"payload":"AAAA'))
    assert actions.command({}, "verify", str(file), "--key", str(key), group="attest").returncode == 1

    taken = actions.command(
        approver, "revoke", signed["attestation"], "--reason", "the test set had leaked", group="attest"
    )
    approval = actions.heard("ApprovalRequested", model=package)["approval"]
    actions.command(approver, "approve", approval, "--reason", "the shadow test of a week was fine")
    told = actions.heard("PromotionRefused", model=package)

    assert taken.returncode == 0, taken.stderr
    assert told["fault"] == "revoked"
    assert actions.describe(package)["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_model_is_promoted_once_a_person_has_approved_it_by_the_command_line(
    actions: GateActions, approver: dict[str, str]
) -> None:
    package = actions.package("moves-approved")
    actions.tell(*PRODUCTION, package, "passed")
    approval = actions.heard("ApprovalRequested", model=package)["approval"]

    waiting = actions.command(approver, "approvals")
    assert approval in waiting.stdout, waiting.stderr
    assert actions.describe(package)["ModelApprovalStatus"] == "PendingManualApproval"
    done = actions.command(approver, "approve", approval, "--reason", "the shadow test of a week was fine")

    assert done.returncode == 0, done.stderr
    told = actions.heard("ModelPromoted", model=package)
    described = actions.describe(package)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ModelLifeCycle"]["StageStatus"] == "Approved"
    assert ":user/approver-" in told["by"]
    assert "the shadow test of a week was fine" in described["ApprovalDescription"]
    roles = {flow.get("role") for flow in told["lineage"]["flows"]}
    assert roles == {"verdict", "subject", "approval"}


def test_a_person_who_rejects_ends_it(actions: GateActions, approver: dict[str, str]) -> None:
    package = actions.package("moves-declined")
    actions.tell(*PRODUCTION, package, "passed")
    approval = actions.heard("ApprovalRequested", model=package)["approval"]

    done = actions.command(approver, "reject", approval, "--reason", "not in the week of the audit")

    assert done.returncode == 0, done.stderr
    actions.heard("ModelRejected", model=package)
    described = actions.describe(package)
    assert described["ModelApprovalStatus"] == "Rejected"
    assert "not in the week of the audit" in described["ApprovalDescription"]


def test_neither_the_author_nor_a_stranger_may_approve(deployed: Any, actions: GateActions) -> None:
    author = actions.person(f"approver-author-{uuid.uuid4().hex[:6]}")
    stranger = actions.person(f"stranger-{uuid.uuid4().hex[:6]}")
    mine = boto3.client(
        "sagemaker",
        region_name=deployed.cloud.region,
        endpoint_url=deployed.cloud.endpoint,
        aws_access_key_id=author["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=author["AWS_SECRET_ACCESS_KEY"],
    )
    actions.sagemaker.create_model_package_group(ModelPackageGroupName="moves-authored")
    package = mine.create_model_package(
        ModelPackageGroupName="moves-authored",
        InferenceSpecification={"Containers": [{"Image": actions.image}]},
    )["ModelPackageArn"]
    deployed.eventually(lambda: actions.describe(package)["ModelPackageStatus"] == "Completed")
    actions.tell(*PRODUCTION, package, "passed")
    approval = actions.heard("ApprovalRequested", model=package)["approval"]

    by_author = actions.command(author, "approve", approval, "--reason", "I am sure")
    by_stranger = actions.command(stranger, "approve", approval, "--reason", "why not")

    assert by_author.returncode == 1
    assert "whoever made a model may not approve it" in by_author.stderr
    assert by_stranger.returncode == 1
    assert "only these may decide" in by_stranger.stderr
    assert actions.describe(package)["ModelApprovalStatus"] == "PendingManualApproval"


def test_an_approval_that_nobody_gives_expires_and_nothing_is_promoted(actions: GateActions) -> None:
    package = actions.package("hurried-model")

    actions.tell("moves-hurried-end", "hurried-end", package, "passed")
    told = actions.heard("ApprovalExpired", model=package)

    late = actions.command(
        actions.person(f"late-{uuid.uuid4().hex[:6]}"), "approve", told["approval"], "--reason", "sorry, I was away"
    )
    assert late.returncode == 1
    assert "it is expired already" in late.stderr
    assert actions.describe(package)["ModelApprovalStatus"] == "PendingManualApproval"
    assert actions.all_heard("ModelPromoted", model=package) == []


def test_an_override_by_a_named_person_moves_a_model_that_failed(
    actions: GateActions, approver: dict[str, str]
) -> None:
    package = actions.package("moves-overridden")
    verdict = actions.tell(*STAGING, package, "failed")
    actions.heard("ModelRejected", model=package)

    done = actions.command(approver, "override", verdict, "--reason", "the labels of that week were wrong")

    assert done.returncode == 0, done.stderr
    overridden = actions.heard("GateOverridden", verdict=verdict)
    told = actions.heard("ModelPromoted", model=package)
    assert overridden["by"] == told["by"]
    assert {flow.get("role") for flow in told["lineage"]["flows"]} == {"verdict", "subject", "override"}
    assert actions.describe(package)["ModelLifeCycle"]["Stage"] == "Production"


def test_a_verdict_that_decides_nothing_moves_nothing_and_the_newest_one_counts(actions: GateActions) -> None:
    package = actions.package("moves-undecided")

    actions.tell(*STAGING, package, "inconclusive")
    actions.tell(*STAGING, package, "failed")
    actions.heard("ModelRejected", model=package)

    assert actions.all_heard("ModelPromoted", model=package) == []
    assert len({each["verdict"] for each in actions.all_heard("ModelRejected", model=package)}) == 1


def test_an_endpoint_that_failed_its_gate_serves_its_last_good_configuration_again(
    deployed: Any, actions: GateActions
) -> None:
    name = f"moves-{uuid.uuid4().hex[:8]}"
    good, bad = actions.config(f"{name}-Good"), actions.config(f"{name}-bad")
    actions.serve(name, good)
    endpoint = actions.serve(name, bad)

    verdict = actions.tell("moves-serving", "serving", endpoint, "failed")
    told = actions.heard("EndpointRolledBack", endpoint=endpoint)

    assert actions.serves(name) == (good, "InService")
    assert (told["fromConfig"], told["toConfig"], told["verdict"]) == (bad, good, verdict)
    assert {flow.get("role") for flow in told["lineage"]["flows"]} == {"verdict", "subject", "from", "to"}

    # What it serves now fails as well: the other one has a verdict against it, so there is nothing to go back to.
    actions.deployed.eventually(
        lambda: any(good.lower() in node["key"] for node in deployed.ask("trace", node=endpoint, depth=1)["nodes"])
    )
    again = actions.tell("moves-serving", "serving", endpoint, "failed")
    failed = actions.heard("RollbackFailed", verdict=again)
    assert "no earlier configuration" in failed["reason"]
    assert actions.serves(name) == (good, "InService")


def test_a_rollback_to_a_deleted_configuration_fails_with_the_reason(actions: GateActions) -> None:
    name = f"moves-{uuid.uuid4().hex[:8]}"
    old, new = actions.config(f"{name}-old"), actions.config(f"{name}-new")
    actions.serve(name, old)
    endpoint = actions.serve(name, new)
    actions.sagemaker.delete_endpoint_config(EndpointConfigName=old)

    actions.tell("moves-serving", "serving", endpoint, "failed")
    failed = actions.heard("RollbackFailed", endpoint=endpoint)

    assert f"{old} was deleted" in failed["reason"]


def test_a_training_job_that_diverges_is_stopped_and_its_curve_is_told(deployed: Any, actions: GateActions) -> None:
    name = f"moves-train-{uuid.uuid4().hex[:8]}"

    job = actions.train(name, TRAIN.format(losses=[2.0, 1.0, 0.5, 4.0, 9.0, 20.0], rest=200))
    told = actions.heard("TrainingHalted", job=job)

    assert told["rule"] == "divergence"
    # Values within a second are one, their mean, and a busy machine may put two steps into one.
    assert told["curve"][0] in ([0, 2], [0.5, 1.5])
    assert told["value"] > told["threshold"] > 0
    deployed.eventually(lambda: actions.training_status(name) == "Stopped")
    node = told["lineage"]["node"]["id"]
    shown = deployed.eventually(
        lambda: (found := deployed.ask("show", node=node))["answer"] == "show" and found["upstream"] and found
    )
    assert [edge["source"].partition("@")[0] for edge in shown["upstream"]] == [job]
