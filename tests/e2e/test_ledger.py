"""What is recorded is sealed by itself, can be proved, and makes the lineage table anew."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash

from hallmark.aws.ledger_files import S3LogFiles
from hallmark.aws.ledger_reading import NoteSignatures
from hallmark.ledger.merkle import hash_leaf, verify_inclusion
from hallmark.ledger.notes import read_verifier_key, verify_checkpoint
from hallmark.ledger.verifying import verify_log
from tests.e2e.test_lineage_of_events import training_event

pytestmark = pytest.mark.e2e


def ask(deployed: Any, **question: Any) -> dict[str, Any]:
    return deployed._ask("QueryLedgerFunctionName", question)  # type: ignore[no-any-return]


def fact_of(deployed: Any, name: str) -> str | None:
    """Return the id of the newest fact about a training job."""
    pages = (
        deployed.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=deployed.outputs["LineageTableName"],
            FilterExpression="sk = :fact AND contains(body, :name)",
            ExpressionAttributeValues={":fact": {"S": "FACT"}, ":name": {"S": f"training-job/{name}"}},
        )
    )
    found = [item["pk"]["S"].removeprefix("FACT#") for page in pages for item in page["Items"]]
    return found[0] if found else None


@pytest.fixture(scope="module")
def sealed(deployed: Any) -> str:
    """Record a job, and return the id of its fact once the log has it."""
    deployed.cloud.emit([training_event("sealed")])
    fact = deployed.eventually(lambda: fact_of(deployed, "sealed"))
    sealing = deployed.client("lambda")
    # The stream gathers for as long as policy says; a sweep seals at once.
    sealing.invoke(FunctionName=deployed.outputs["SealLedgerFunctionName"], Payload=b'{"sweep": true}')
    return str(fact)


def test_a_fact_is_in_the_log_and_its_proof_leads_to_the_signed_root(deployed: Any, sealed: str) -> None:
    said = ask(deployed, ask="proof", entry=sealed)
    checkpoint = verify_checkpoint(said["checkpoint"], [read_verifier_key(said["keys"][0])], NoteSignatures())
    proof = [b64decode(value) for value in said["proof"]]

    verify_inclusion(said["entry"], checkpoint.size, hash_leaf(b64decode(said["content"])), proof, checkpoint.root)
    assert "training-job/sealed" in said["body"]["subject"]["id"]


def audit_by_another(files: Mapping[str, bytes | None], said_keys: list[str], folder: Path) -> None:
    """Check a copy by tlog-scales alone: the signature, the root of the tiles, that each entry is in it."""
    for path, content in files.items():
        if content is not None:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    reader = TilesReader(LocalBackend(folder))
    checkpoint = reader.get_checkpoint()
    for key in said_keys:
        checkpoint.verify(Vkey.from_string(key))
    assert reader.calculate_root_hash() == checkpoint.root_hash
    for place in range(checkpoint.size):
        proof = reader.get_inclusion_proof(place, checkpoint.size)
        proof.check(leaf_hash(reader.get_entry(place)), checkpoint.root_hash)


def test_the_whole_log_verifies_also_by_another_library_and_a_changed_byte_does_not(
    deployed: Any, sealed: str, tmp_path: Path
) -> None:
    files = S3LogFiles(deployed.outputs["LedgerBucketName"], deployed.client("s3"))
    keys = [read_verifier_key(ask(deployed, ask="status")["keys"][0])]
    cache: dict[str, bytes | None] = {}

    def read(path: str) -> bytes | None:
        return cache.setdefault(path, files.read(path))

    assert verify_log(read, keys, NoteSignatures()).is_whole
    audit_by_another(cache, said_keys=[str(key) for key in keys], folder=tmp_path)
    path = next(path for path in cache if path.startswith("tile/entries/"))
    cache[path] = (cache[path] or b"").replace(b'"kind":"fact"', b'"kind":"fake"', 1)
    assert [damage.path for damage in verify_log(read, keys, NoteSignatures()).damages] == [path]


def test_sealing_the_same_facts_again_adds_nothing(deployed: Any, sealed: str) -> None:
    place = ask(deployed, ask="proof", entry=sealed)["entry"]
    deployed.client("lambda").invoke(
        FunctionName=deployed.outputs["SealLedgerFunctionName"], Payload=b'{"sweep": true, "full": true}'
    )

    assert ask(deployed, ask="proof", entry=sealed)["entry"] == place


def test_a_lost_lineage_table_is_made_anew_from_the_log_byte_for_byte(deployed: Any, sealed: str) -> None:
    table, name = deployed.client("dynamodb"), deployed.outputs["LineageTableName"]
    key = {"pk": {"S": f"FACT#{sealed}"}, "sk": {"S": "FACT"}}
    before = table.get_item(TableName=name, Key=key)["Item"]
    start = ask(deployed, ask="proof", entry=sealed)["entry"]
    table.delete_item(TableName=name, Key=key)

    def rebuild(mode: str) -> dict[str, Any]:
        stretch = {"mode": mode, "start": start, "count": 1}
        return deployed._ask("RebuildLineageFunctionName", stretch)  # type: ignore[no-any-return]

    assert rebuild("check")["different"] == [{"entry": start, "id": sealed}]
    assert rebuild("write") == {"size": rebuild("check")["size"], "looked_at": 1, "different": [], "written": 1}
    assert table.get_item(TableName=name, Key=key)["Item"] == before


def test_the_models_that_saw_a_person_are_found_by_tokens_that_name_nobody(deployed: Any, sealed: str) -> None:
    def ask_of(function: str, **message: Any) -> dict[str, Any]:
        return deployed._ask(function, message)  # type: ignore[no-any-return]

    snapshot = "s3://people/customers#sha256:" + "ab" * 32
    for part, people in enumerate((["ana@example.com"], ["ben@example.com"])):
        ask_of("RecordSubjectsFunctionName", snapshot=snapshot, part=part, subjects=people)
    told = ask_of("RecordSubjectsFunctionName", snapshot=snapshot, parts=2)
    found = ask_of("FindSubjectFunctionName", subject="Ana@example.com")

    assert told["tokens"] == 2
    assert [one["snapshot"] for one in found["snapshots"]] == [snapshot]
    assert ask_of("FindSubjectFunctionName", subject="cleo@example.com")["snapshots"] == []
    shown = deployed.eventually(lambda: _subjects_of(deployed, snapshot))
    assert shown == {
        "tokens": 2,
        "tokens_sha256": told["tokens_sha256"],
        "false_positive_bound": told["false_positive_bound"],
    }


def _subjects_of(deployed: Any, snapshot: str) -> dict[str, Any] | None:
    answer = deployed._ask("QueryLineageFunctionName", {"ask": "show", "node": snapshot})
    return answer.get("attributes", {}).get("subjects")  # type: ignore[no-any-return]
