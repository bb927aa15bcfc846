"""What has ended is signed by itself, once, and somebody else's library verifies it."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from hallmark.attestations.envelopes import read_public_key
from tests.e2e.evaluations import Evaluations
from tests.fakes.foreign_dsse import accepts

pytestmark = pytest.mark.e2e


def attested(deployed: Any, node: str, kind: str) -> dict[str, Any]:
    """Return the statement that is signed about a node, once it is, after somebody else has verified it."""

    def look() -> dict[str, Any] | None:
        shown = deployed.ask("trace", node=node, direction="down", depth=1)
        found = [each["key"] for each in shown.get("nodes", ()) if each["kind"] == "attestation"]
        if len(found) != 1:
            return None
        said: dict[str, Any] = deployed.call("QueryAttestationsFunctionName", {"ask": "show", "attestation": found[0]})
        return said

    said = deployed.eventually(look)
    pem = deployed.call("QueryAttestationsFunctionName", {"ask": "key"})["pem"]
    assert accepts(said["envelope"].encode(), read_public_key(pem))
    statement: dict[str, Any] = json.loads(b64decode(json.loads(said["envelope"])["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == kind
    return statement


def test_an_evaluation_is_signed_as_a_test_result(deployed: Any, shared: Evaluations) -> None:
    shared.faults.clear()
    run = shared.completed(shared.start("sentiment"))

    statement = attested(deployed, run["execution"], "https://in-toto.io/attestation/test-result/v0.1")

    said = statement["predicate"]
    assert said["result"] in {"PASSED", "WARNED", "FAILED"}
    assert said["url"] == f"{run['report']}report.json"
    tests = [*said["passedTests"], *said["warnedTests"], *said["failedTests"]]
    assert {name.partition(":")[0] for name in tests} == {each["name"] for each in statement["subject"]}


def test_a_training_job_is_signed_as_provenance_of_its_model(shipped: Any) -> None:
    jobs = shipped.ask("list", kind="training-job", contains="wine")["nodes"]
    job = next(each for each in jobs if each["status"] == "Completed")

    statement = attested(shipped, job["key"], "https://slsa.dev/provenance/v1")

    definition, details = (statement["predicate"][name] for name in ("buildDefinition", "runDetails"))
    assert details["metadata"]["invocationId"] == job["key"].partition("@")[0]
    assert any("hallmarkSnapshot" in (each.get("digest") or {}) for each in definition["resolvedDependencies"])
    assert statement["subject"][0]["uri"].startswith("s3://")
    again = shipped.call("AttestRunFunctionName", {"node": job["key"]})
    assert json.loads(b64decode(json.loads(again["envelope"])["payload"])) == statement


def test_an_answer_is_signed_by_who_asked_it_itself(deployed: Any, shared: Evaluations) -> None:
    asked = {"source": "lineage", "question": {"ask": "list", "kind": "attestation"}}

    said = deployed.call("SignAnswerFunctionName", asked)

    pem = deployed.call("QueryAttestationsFunctionName", {"ask": "key"})["pem"]
    assert accepts(said["envelope"].encode(), read_public_key(pem))
    statement = json.loads(b64decode(json.loads(said["envelope"])["payload"]))["predicate"]
    assert statement["question"] == asked["question"]
    assert statement["answer"]["answer"] == "list"
    assert statement["ledger"] is None or statement["ledger"]["checkpoint"].startswith(statement["ledger"]["origin"])
