"""Statements have the fields that the specifications ask for, and say what was found."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from hallmark.attestations.answers import AskedToSign, answer_statement, read_asked
from hallmark.attestations.evaluations import MeasuredData, MeasuredModel, MeasuredRun, evaluation_statement
from hallmark.attestations.statements import Resource, Statement, Subject, canonical, read_statement
from hallmark.attestations.summaries import summarize
from hallmark.attestations.training import TrainedModel, training_statement
from hallmark.attestations.verdicts import JUDGED, override_statement, verdict_statement
from hallmark.errors import InvalidInputError
from tests.fakes.proved_orders import ATTESTOR, KIM, World
from tests.fakes.told_verdicts import PACKAGE

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
JOB = "arn:aws:sagemaker:eu-central-1:111122223333:training-job/churn"
ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# in-toto, ResourceDescriptor and DigestSet: names of fields, and of digests with their lengths in hex.
DESCRIPTOR = {"name", "uri", "digest", "content", "downloadLocation", "mediaType", "annotations"}
LENGTHS = {"sha256": {64}, "gitCommit": {40, 64}, "hallmarkPackage": {64}, "hallmarkSnapshot": {64}}


def check_descriptor(found: dict[str, Any]) -> None:
    assert set(found) <= DESCRIPTOR
    assert {"uri", "digest", "content"} & set(found)
    for algorithm, value in found.get("digest", {}).items():
        if algorithm in LENGTHS:
            assert len(value) in LENGTHS[algorithm]
            assert re.fullmatch(r"[0-9a-f]+", value)
        else:
            assert (algorithm, value != "") == ("awsModelId", True)


def check_statement(statement: Statement) -> dict[str, Any]:
    """Hold a statement against in-toto's Statement v1; return its predicate."""
    document: dict[str, Any] = json.loads(statement.content)
    assert set(document) == {"_type", "subject", "predicateType", "predicate"}
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["subject"]
    for subject in document["subject"]:
        check_descriptor(subject)
        assert subject["digest"]
    assert ":" in document["predicateType"]
    assert read_statement(statement.content).content == statement.content
    predicate: dict[str, Any] = document["predicate"]
    return predicate


# --- verdicts: SLSA, verification summary v1 --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "result", "levels"), [("passed", "PASSED", ["HALLMARK_GATE_FULL"]), ("failed", "FAILED", ["FAILED"])]
)
def test_a_verdict_is_a_verification_summary(outcome: str, result: str, levels: list[str]) -> None:
    told = World().verdict(outcome)

    said = check_statement(verdict_statement(told, ATTESTOR))

    assert {"verifier", "resourceUri", "policy", "verificationResult", "verifiedLevels"} <= set(said)
    assert said["verifier"] == {"id": ATTESTOR}
    assert ZULU.fullmatch(said["timeVerified"])
    assert said["resourceUri"] == PACKAGE
    check_descriptor(said["policy"])
    assert said["policy"]["uri"] == "urn:hallmark:policy:gates:full"
    assert (said["verificationResult"], said["verifiedLevels"]) == (result, levels)
    assert not any(level.startswith("SLSA_") for level in said["verifiedLevels"])
    for each in (*said[JUDGED]["data"], *said[JUDGED]["reports"]):
        check_descriptor(each)
    assert len(said[JUDGED]["data"]) == 2


def test_an_override_names_the_person_the_reason_the_verdict_and_the_bytes() -> None:
    world = World()
    told = world.overridden(world.verdict("failed"))

    statement = override_statement(told, ATTESTOR)

    said = check_statement(statement)
    assert (said["by"], said["verdict"]) == (KIM.arn, told.verdict)
    assert said["reason"] == "the labels of that week were wrong"
    assert statement.subject[0].digest == {"hallmarkPackage": told.model_digest}
    assert dict(summarize(statement).lines)["by"] == KIM.arn


# --- evaluations: in-toto, test result v0.1 ---------------------------------------------------------------------------


def measured(*findings: str | None, answered: int = 10, stopped: str | None = None) -> MeasuredRun:
    return MeasuredRun(
        execution="arn:aws:states:eu-central-1:111122223333:execution:evaluate:s-1",
        run="s-1",
        suite="s",
        primary="accuracy",
        champion="m0",
        started_at=NOON,
        completed_at=NOON,
        stopped=stopped,
        models=tuple(
            MeasuredModel(
                name=f"m{place}",
                model_id=f"vendor.m{place}",
                planned=10,
                answered=answered,
                finding=finding,
                metrics={"accuracy": 0.5},
            )
            for place, finding in enumerate(findings)
        ),
        data=(MeasuredData(name="tweets", digest=f"sha256:{'c' * 64}", cases=10),),
        report="s3://reports/runs/s/s-1/report.json",
        report_digest="d" * 64,
    )


@pytest.mark.parametrize(
    ("run", "result", "counts"),
    [
        (measured(None, "better"), "PASSED", (2, 0, 0)),
        (measured(None, "equivalent", "non_inferior"), "PASSED", (3, 0, 0)),
        (measured(None, "cannot_tell"), "WARNED", (1, 1, 0)),
        (measured(None, "not_better"), "WARNED", (1, 1, 0)),
        (measured(None, "better", answered=9), "WARNED", (0, 2, 0)),
        (measured(None, "better", stopped="its budget was spent"), "WARNED", (2, 0, 0)),
        (measured(None, "worse", "better"), "FAILED", (2, 0, 1)),
    ],
)
def test_an_evaluation_is_a_test_result(run: MeasuredRun, result: str, counts: tuple[int, int, int]) -> None:
    said = check_statement(evaluation_statement(run, ATTESTOR))

    assert {"result", "configuration"} <= set(said)
    assert said["result"] == result
    assert tuple(len(said[name]) for name in ("passedTests", "warnedTests", "failedTests")) == counts
    for each in said["configuration"]:
        check_descriptor(each)
    assert said["configuration"][1] == {"name": "tweets", "digest": {"sha256": "c" * 64}}
    assert said["url"] == run.report


# --- training: SLSA, provenance v1 ------------------------------------------------------------------------------------


def trained(**more: Any) -> TrainedModel:
    return TrainedModel.model_validate(
        {
            "arn": JOB,
            "region": "eu-central-1",
            "account": "111122223333",
            "requested": {"hyperparameters": {"depth": "3"}, "big": 2**60},
            "platform": {"resources": {"instance_type": "ml.m5.large", "instances": 1}},
            "materials": (
                Resource(name="train", uri="s3://data/train", digest={"hallmarkSnapshot": "a" * 64}),
                Resource(name="image", uri="docker://repo@sha256:b", digest={"sha256": "b" * 64}),
                Resource(name="code", uri="git+https://example.com/churn@c", digest={"gitCommit": "c" * 40}),
                Resource(name="extra", uri="s3://data/unknown"),
            ),
            "products": (
                Resource(name="model", uri="s3://models/churn", digest={"hallmarkSnapshot": "d" * 64}),
                Resource(name="checkpoints", uri="s3://models/checkpoints"),
            ),
            "started_at": "2026-11-23T11:00:00+00:00",
            "ended_at": "2026-11-23T12:00:00Z",
            "recorded_at": NOON,
            **more,
        }
    )


def test_a_training_job_is_provenance_of_the_model_that_came_of_it() -> None:
    statement = training_statement(trained(), ATTESTOR)

    said = check_statement(statement)

    assert [each.uri for each in statement.subject] == ["s3://models/churn"]
    definition, details = said["buildDefinition"], said["runDetails"]
    assert {"buildType", "externalParameters"} <= set(definition)
    assert definition["externalParameters"] == {"hyperparameters": {"depth": "3"}, "big": str(2**60)}
    for each in definition["resolvedDependencies"]:
        check_descriptor(each)
    assert len(definition["resolvedDependencies"]) == 4
    assert details["builder"]["id"] == "https://sagemaker.eu-central-1.amazonaws.com/111122223333/training-job"
    assert details["metadata"] == {
        "invocationId": JOB,
        "startedOn": "2026-11-23T11:00:00.000Z",
        "finishedOn": "2026-11-23T12:00:00.000Z",
    }


def test_a_job_of_whose_products_nobody_knows_the_content_has_no_provenance() -> None:
    with pytest.raises(InvalidInputError, match="no digest of what it produced"):
        training_statement(trained(products=(Resource(uri="s3://models/churn"),)), ATTESTOR)


# --- answers ----------------------------------------------------------------------------------------------------------

CHECKPOINT = {"origin": "log", "size": 3, "root": "ab", "checkpoint": "log\n3\nqw==\n\n— log x\n", "keys": []}


def test_a_signed_answer_holds_question_answer_and_the_ledger_that_it_saw() -> None:
    asked = read_asked({"source": "lineage", "question": {"ask": "show", "node": "m"}})
    answer = {"answer": "show", "cost": 0.1, "bytes": 2**60}

    statement = answer_statement(asked, answer, CHECKPOINT, NOON, ATTESTOR)

    said = check_statement(statement)
    assert statement.subject[0].digest == {"sha256": sha256(canonical(answer)).hexdigest()}
    assert (said["question"], said["answer"]["cost"]) == ({"ask": "show", "node": "m"}, 0.1)
    assert said["ledger"]["checkpoint"] == CHECKPOINT["checkpoint"]
    assert dict(summarize(statement).lines)["ledger"] == "3 entries, root qw=="


def test_an_answer_with_the_digest_of_another_is_no_answer() -> None:
    asked = AskedToSign(source="lineage", question={"ask": "show"})
    statement = answer_statement(asked, {"a": 1}, None, NOON, ATTESTOR)
    other = statement.model_copy(update={"predicate": {**statement.predicate, "answer": {"a": 2}}})

    assert dict(summarize(statement).lines)["ledger"] == "none yet"
    with pytest.raises(InvalidInputError, match="another answer"):
        summarize(other)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"source": "lineage"},
        {"source": "lineage", "question": {}, "answer": {"a": 1}},
        {"source": "", "question": {}},
    ],
)
def test_whoever_sends_an_answer_to_be_signed_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        read_asked(event)


def test_an_answer_that_cannot_be_returned_is_not_signed() -> None:
    asked = AskedToSign(source="lineage", question={"ask": "trace"})

    with pytest.raises(InvalidInputError, match="ask for fewer nodes"):
        answer_statement(asked, ["x" * 1_000] * 4_001, None, NOON, ATTESTOR)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_fields_of_others_are_let_be() -> None:
    statement = Statement(subject=(Subject(digest={"sha256": "0" * 64}),), predicate_type="urn:x", predicate={})
    document = json.loads(statement.content)
    document["subject"][0]["new"] = 1
    document["later"] = True

    assert read_statement(json.dumps(document).encode()) == statement
    assert summarize(statement).what == "a statement of another kind"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"_type":"https://in-toto.io/Statement/v0.1","subject":[],"predicateType":"x","predicate":{}}',
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x","predicate":{}}',
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a"}],"predicateType":"x","predicate":{}}',
    ],
)
def test_what_is_no_statement_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError, match="Statement v1"):
        read_statement(content)


def test_a_resource_without_an_address_or_a_digest_is_none() -> None:
    with pytest.raises(ValueError, match="uri or a digest"):
        Resource(name="nothing")
