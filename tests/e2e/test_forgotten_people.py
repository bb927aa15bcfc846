"""A person approves, is named to whoever asks and nowhere kept by name, and is forgotten: every proof holds."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from hallmark.aws.ledger_files import S3LogFiles
from hallmark.aws.ledger_reading import NoteSignatures
from hallmark.ledger.notes import read_verifier_key
from hallmark.ledger.verifying import verify_log
from tests.e2e.test_who_did_what import person

pytestmark = pytest.mark.e2e

REASON = "asked for on 2 November, article 17"


class Approval:
    """A package that a person approved, and the person."""

    def __init__(self, deployed: Any) -> None:
        mark = uuid.uuid4().hex[:8]
        self.name = f"erika.mustermann-{mark}@example.com"
        self.arn = f"arn:aws:iam::{deployed.cloud.account}:user/{self.name}"
        erika = person(deployed, self.name)
        group = f"forgotten-{mark}"
        erika.create_model_package_group(ModelPackageGroupName=group)
        self.package = erika.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [{"Image": f"{deployed.cloud.account}.dkr.ecr.us-east-1.amazonaws.com/serve:1"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
        erika.update_model_package(
            ModelPackageArn=self.package,
            ModelApprovalStatus="Approved",
            ApprovalDescription=f"{self.name} has tried it",
        )


def acts_on(deployed: Any, package: str) -> list[dict[str, Any]] | None:
    acts: list[dict[str, Any]] = deployed.ask("who", node=package).get("acts", [])
    return acts if {act["what"] for act in acts} >= {"CreateModelPackage", "UpdateModelPackage"} else None


def kept_in_tables(deployed: Any) -> dict[str, str]:
    """Return all that DynamoDB holds, by table."""
    dynamodb = deployed.client("dynamodb")
    names = [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    return {
        name: str([page["Items"] for page in dynamodb.get_paginator("scan").paginate(TableName=name)]) for name in names
    }


def kept_in_ledger(deployed: Any) -> dict[str, bytes]:
    """Return every version of every file of the ledger, by its key."""
    s3, bucket = deployed.client("s3"), deployed.outputs["LedgerBucketName"]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    versions = [version for page in pages for version in page.get("Versions", ())]
    return {
        f"{version['Key']} {version['VersionId']}": s3.get_object(
            Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"]
        )["Body"].read()
        for version in versions
    }


def around(kept: str, mark: str) -> str:
    """Return what stands around a name, for whoever reads the failure."""
    place = kept.index(mark)
    return kept[max(0, place - 300) : place + 100]


def seal(deployed: Any) -> None:
    deployed.client("lambda").invoke(
        FunctionName=deployed.outputs["SealLedgerFunctionName"], Payload=b'{"sweep": true}'
    )


def fact_of(deployed: Any, node: str) -> str:
    """Return the id of the fact about a node."""
    facts = deployed.items(
        "LineageTableName",
        FilterExpression="sk = :fact AND contains(body, :node)",
        ExpressionAttributeValues={":fact": {"S": "FACT"}, ":node": {"S": f'"subject":{{"born":null,"id":"{node}"'}},
    )
    return str(facts[0]["pk"]["S"].removeprefix("FACT#"))


def test_a_forgotten_person_is_named_nowhere_and_every_proof_holds(deployed: Any) -> None:
    approval = Approval(deployed)
    approved, _ = deployed.eventually(lambda: acts_on(deployed, approval.package))[:2]
    fact = fact_of(deployed, approved["key"])
    seal(deployed)
    mark = approval.name.partition("@")[0]

    assert (approved["name"], approved["by"]) == (approval.name, approval.arn)
    assert approved["why"] == f"{approval.name} has tried it"
    assert deployed.ask("who", node=f"user:{approval.name}")["node"]["key"] == approval.arn
    assert [around(kept, mark) for kept in kept_in_tables(deployed).values() if mark in kept] == []
    assert [path for path, kept in kept_in_ledger(deployed).items() if mark.encode() in kept] == []
    before = deployed.call("QueryLedgerFunctionName", {"ask": "proof", "entry": fact})

    message = {"persons": [approval.name], "reason": REASON}
    done = deployed.call_signed("ForgetPersonFunctionName", message)
    acts = acts_on(deployed, approval.package)
    assert acts is not None
    assert done["tokens"] >= 1
    assert mark not in json.dumps(acts)
    assert {act["name"].rpartition(" ")[0] for act in acts} == {"forgotten person"}
    node = f"hallmark:forgetting/{done['forgetting']}"
    told = deployed.eventually(lambda: deployed.ask("show", node=node).get("attributes"))
    assert (told["by"], told["reason"]) == (f"arn:aws:iam::{deployed.cloud.account}:root", REASON)
    seal(deployed)
    files = S3LogFiles(deployed.outputs["LedgerBucketName"], deployed.client("s3"))
    after = deployed.call("QueryLedgerFunctionName", {"ask": "proof", "entry": fact})
    assert verify_log(files.read, [read_verifier_key(after["keys"][0])], NoteSignatures()).is_whole
    assert after["content"] == before["content"]
    place = {"start": after["entry"], "count": 1}
    assert deployed.call("RebuildLineageFunctionName", {"mode": "check", **place})["different"] == []


def test_who_is_not_known_cannot_be_forgotten(deployed: Any) -> None:
    with pytest.raises(AssertionError) as refused:
        deployed.call_signed("ForgetPersonFunctionName", {"persons": ["nobody-at-all"], "reason": REASON})

    assert refused.value.args[0]["errorType"] == "NotFoundError"
