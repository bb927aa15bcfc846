"""The functions that sign a verdict and move a model by it, as Lambda runs them; AWS as moto answers it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws import clients
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.aws.gate_verdicts import GateVerdicts
from hallmark.aws.model_registry import ModelRegistry
from hallmark.errors import UnavailableError
from hallmark.events.gates import QualityGateDecided
from hallmark.gates.applying import verdict_of
from hallmark.gates.approvals import Approval, Rules, approval_id
from hallmark.gates.evidence import Evidence
from hallmark.gates.judging import Judgement
from hallmark.gates.promoting import order_of
from hallmark.gates.requests import GateRequest
from hallmark.gates.settings import GatesPolicy
from hallmark.gates.verdicts import decided_event
from hallmark.policy.deployment import write_policy_package
from hallmark.policy.models import Policy
from tests.contract.aws_adapters.injection import SERVER_FAULT, Fault, Injection
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.statement_keys import FakeKms

ACCOUNT, REGION = "123456789012", "us-east-1"
GATES = GatesPolicy.model_validate(
    {
        "gates": {
            "full": {
                "stage": "production",
                "models": {"model_package_groups": ["churn"]},
                "criteria": {"traceable": {"kind": "lineage"}},
            },
            "asking": {
                "stage": "release",
                "lifecycle_stage": "Production",
                "models": {"model_package_groups": ["churn"]},
                "criteria": {"traceable": {"kind": "lineage"}},
                "next_stage": "production",
                "approval": {"required": True},
            },
        }
    }
)
UNKNOWN = {"answer": "candidates", "asked": "x", "reason": "unknown", "candidates": []}


class Account:
    """What is deployed, and what was published."""

    def __init__(self) -> None:
        self.injection = Injection()
        self.kms = FakeKms()
        self.injection.watch(clients._session())
        self.answers()
        self.sagemaker: Any = boto3.client("sagemaker", region_name=REGION)
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.dynamodb: Any = boto3.client("dynamodb", region_name=REGION)
        self.dynamodb.create_table(
            TableName="gates",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(Bucket="attestations")
        self.queue = self._listen()

    def answers(self, *failing: str) -> None:
        """Let lineage know nothing of any model, KMS do what it does, and each of these operations fail."""
        metadata = {"HTTPStatusCode": 200, "RequestId": "0", "HTTPHeaders": {}, "RetryAttempts": 0}

        def knows_nothing() -> dict[str, Any]:
            return {"Payload": io.BytesIO(json.dumps(UNKNOWN).encode()), "ResponseMetadata": metadata}

        def keys() -> dict[str, Any]:
            # moto signs no digests.
            name = {"GetPublicKey": "get_public_key", "Sign": "sign", "Verify": "verify"}
            operation = self.injection.calls[-1].partition(".")[2]
            answer = getattr(self.kms, name[operation])(**self.injection.requests[-1])
            return {**answer, "ResponseMetadata": metadata}

        def choose(_number: int, operation: str) -> Fault | None:
            if operation in failing:
                return SERVER_FAULT
            if operation == "lambda.Invoke":
                return Fault("lineage", before=knows_nothing)
            return Fault("kms", before=keys) if operation.startswith("kms.") else None

        self.injection.choose = choose

    def package(self) -> str:
        self.sagemaker.create_model_package_group(ModelPackageGroupName="churn")
        container = {"Image": "image:1", "ModelDataUrl": "s3://models/churn.tar.gz"}
        made = self.sagemaker.create_model_package(
            ModelPackageGroupName="churn",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelApprovalStatus="PendingManualApproval",
        )
        return str(made["ModelPackageArn"])

    def judged(self, package: str, *, gate: str = "full", kept: bool = True) -> QualityGateDecided:
        """Let the gate pass a package; where it is not kept, somebody only tells the bus so."""
        state = ModelRegistry(clients.client("sagemaker")).find(package)
        assert state is not None
        evidence = Evidence(
            model=package, model_name="churn v1", group="churn", package=package, digest=state.fingerprint
        )
        request = GateRequest(gate=gate, model=package, request_id="r", trigger="manual")
        verdict = verdict_of(
            request, GATES.gates[gate], evidence, Judgement("passed", ()), datetime(2026, 11, 23, 12, tzinfo=UTC)
        )
        if kept:
            DynamoVerdicts("gates", clients.client("dynamodb")).add(verdict)
        told = decided_event(verdict)
        GateVerdicts("gates", clients.client("dynamodb")).place(told)
        return told

    def promote(self, told: QualityGateDecided, **answer: str) -> dict[str, Any]:
        """Do what the workflow does after it has planned, and a person has answered."""
        order = order_of(told, GATES)
        assert order is not None
        self.call("attest_verdict", {"cause": order.cause})
        given = {"order": order.model_dump(mode="json"), "at": "2026-11-23T12:01:00+00:00", "answer": answer}
        return self.call("set_model_stage", given)

    def asked(self, told: QualityGateDecided, state: str, **more: str) -> str:
        """Keep a question to a person, and how it stands; return its id."""
        approval = Approval.model_validate(
            {
                "id": approval_id(told.verdict, told.verdict),
                "gate": told.gate,
                "stage": told.stage,
                "model": told.model,
                "model_name": told.model_name,
                "verdict": told.verdict,
                "rules": Rules(),
                "asked_at": told.decided_at,
                "expires_at": told.decided_at,
                "state": state,
                "by": "arn:aws:iam::123456789012:user/kim",
                "reason": "the shadow test of a week was fine",
                **more,
            }
        )
        GateActionsTable("gates", clients.client("dynamodb")).ask(approval, "token")
        return approval.id

    def call(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = load_function(name).handler(event, Context())
        return answer

    def status(self, package: str) -> str:
        return str(self.sagemaker.describe_model_package(ModelPackageName=package)["ModelApprovalStatus"])

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                found.append((event["detail-type"], event["detail"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found

    def _listen(self) -> str:
        events: Any = boto3.client("events", region_name=REGION)
        url = str(self.sqs.create_queue(QueueName="heard")["QueueUrl"])
        events.create_event_bus(Name="hallmark")
        events.put_rule(Name="all", EventBusName="hallmark", EventPattern='{"source": ["hallmark"]}')
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_targets(Rule="all", EventBusName="hallmark", Targets=[{"Id": "heard", "Arn": arn}])
        return url


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "GATES_TABLE_NAME": "gates",
        "EVENT_BUS_NAME": "hallmark",
        "ATTESTATION_BUCKET_NAME": "attestations",
        "ATTESTATION_KEY_ID": "11111111-2222-3333-4444-555555555555",
        "ATTESTOR": f"urn:hallmark:{ACCOUNT}:{REGION}",
        "QUERY_LINEAGE_FUNCTION_NAME": "query",
        "DEAD_LETTER_QUEUE_URL": "none",
        "POWERTOOLS_METRICS_NAMESPACE": "Hallmark",
        "POWERTOOLS_SERVICE_NAME": "test",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    write_policy_package(Policy(gates=GATES), tmp_path, tmp_path / "layer")
    monkeypatch.syspath_prepend(str(tmp_path / "layer"))
    sys.modules.pop("hallmark_policy", None)
    clients._client.cache_clear()
    clients._session.cache_clear()
    with mock_aws():
        yield Account()
    clients._client.cache_clear()
    clients._session.cache_clear()
    sys.modules.pop("hallmark_policy", None)


def test_a_verdict_is_signed_and_moves_its_model_and_lineage_is_told_of_both(account: Account) -> None:
    package = account.package()
    told = account.judged(package)

    done = account.promote(told)

    assert done["moved"] is True
    assert account.status(package) == "Approved"
    heard = dict(account.told())
    assert sorted(heard) == ["AttestationSigned", "ModelPromoted"]
    signed = heard["AttestationSigned"]
    assert signed["subject"] == told.verdict
    flows = {flow["role"]: flow["node"]["id"] for flow in signed["lineage"]["flows"]}
    assert flows == {"attested": told.verdict, "about": package}


def test_a_verdict_that_only_the_bus_was_told_of_is_refused_and_that_is_told(account: Account) -> None:
    package = account.package()
    told = account.judged(package, kept=False)

    done = account.promote(told)

    assert (done["moved"], done["fault"]) == (False, "unsigned")
    assert account.status(package) == "PendingManualApproval"
    heard = account.told()
    assert [kind for kind, _ in heard] == ["PromotionRefused"]
    assert heard[0][1]["verdict"] == told.verdict
    assert heard[0][1]["lineage"]["status"] == "refused"


def test_while_kms_is_down_nothing_is_moved_and_afterwards_all_of_it_is(account: Account) -> None:
    package = account.package()
    told = account.judged(package)

    account.answers("kms.Sign")
    with pytest.raises(UnavailableError, match="signing an attestation"):
        account.promote(told)
    account.answers("kms.Verify")
    with pytest.raises(UnavailableError, match="verifying an attestation"):
        account.promote(told)
    assert account.status(package) == "PendingManualApproval"
    assert [kind for kind, _ in account.told()] == ["AttestationSigned"]

    account.answers()
    assert account.promote(told)["moved"] is True
    assert account.status(package) == "Approved"


def test_a_repeat_signs_nothing_new_and_tells_the_same(account: Account) -> None:
    told = account.judged(account.package())

    account.promote(told)
    first = account.told()
    again = account.promote(told)

    assert again["moved"] is True
    assert account.told() == first
    assert len(account.injection.of("kms.Sign")) == 1
    assert account.s3.list_objects_v2(Bucket="attestations")["KeyCount"] == 2


def test_an_envelope_that_somebody_exchanged_moves_nothing(account: Account) -> None:
    package = account.package()
    told = account.judged(package)
    account.call("attest_verdict", {"cause": told.verdict})
    (key,) = [
        each["Key"]
        for each in account.s3.list_objects_v2(Bucket="attestations")["Contents"]
        if each["Key"].startswith("envelopes/")
    ]
    kept = json.loads(account.s3.get_object(Bucket="attestations", Key=key)["Body"].read())
    kept["signatures"][0]["sig"] = "MEUCIQ=="
    account.s3.put_object(Bucket="attestations", Key=key, Body=json.dumps(kept).encode())

    done = account.promote(told)

    assert (done["moved"], done["fault"]) == (False, "forged")
    assert account.status(package) == "PendingManualApproval"


SAID = {"state": "approved", "by": "arn:aws:iam::123456789012:user/kim", "reason": "fine"}


def test_a_persons_word_that_is_kept_moves_a_model(account: Account) -> None:
    package = account.package()
    told = account.judged(package, gate="asking")
    approval = account.asked(told, "approved")

    assert account.promote(told, approval=approval, **SAID)["moved"] is True
    assert dict(account.told())["ModelPromoted"]["by"] == SAID["by"]


@pytest.mark.parametrize("state", ["pending", "expired", "rejected", None])
def test_an_answer_to_the_workflow_that_no_person_gave_moves_nothing(account: Account, state: str | None) -> None:
    package = account.package()
    told = account.judged(package, gate="asking")
    if state is not None:
        account.asked(told, state)

    done = account.promote(told, approval="ap-1", **SAID)

    assert (done["moved"], done["fault"]) == (False, "approval")
    assert account.status(package) == "PendingManualApproval"


def test_a_word_about_another_model_moves_nothing(account: Account) -> None:
    package = account.package()
    told = account.judged(package, gate="asking")
    account.asked(told, "approved", model=f"{package}0")

    assert account.promote(told, approval="ap-1", **SAID)["fault"] == "approval"


def test_a_person_who_rejects_needs_no_pass_but_their_own_kept_word(account: Account) -> None:
    package = account.package()
    told = account.judged(package, gate="asking")
    refused = account.promote(told, **{**SAID, "state": "rejected"})
    account.asked(told, "rejected")

    done = account.promote(told, **{**SAID, "state": "rejected"})

    assert (refused["moved"], refused["fault"]) == (False, "approval")
    assert done["moved"] is True
    assert account.status(package) == "Rejected"
