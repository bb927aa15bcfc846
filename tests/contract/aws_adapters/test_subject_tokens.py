from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.lineage_service import LineageService
from hallmark.aws.subject_tokens import SubjectDescent, SubjectFiles
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Answer, Question, TracedNode, read_question
from hallmark.lineage.surveyed import AffectedKind, ImpactAnswer, ImpactQuestion, ListAnswer


@pytest.fixture(name="files")
def files_in_s3() -> Iterator[SubjectFiles]:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="subjects")
        yield SubjectFiles("subjects", s3)


def test_a_stretch_of_a_part_is_read_and_no_more(files: SubjectFiles) -> None:
    files.write_part("f", 3, bytes(range(80)))

    assert files.read_part("f", 3, 8, 24) == bytes(range(8, 24))
    assert files.read_part("f", 3, 72, 80) == bytes(range(72, 80))
    assert files.read_part("f", 3, 0, -1) == bytes(range(80))


def test_what_does_not_exist_is_none(files: SubjectFiles) -> None:
    assert files.read_part("f", 0, 0, 8) is None
    assert files.read_manifest("f") is None
    assert list(files.manifests()) == []


def test_all_manifests_are_found_and_no_parts(files: SubjectFiles) -> None:
    files.write_part("a", 0, b"12345678")
    for name in ("a", "b"):
        files.write_manifest(name, name.encode())

    assert sorted(files.manifests()) == [b"a", b"b"]
    assert files.read_manifest("b") == b"b"


class Functions:
    """Lambda, as a client sees it, whose function gives prepared answers in turn."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[Question] = []
        self._answers = iter(answers)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "query"
        self.asked.append(read_question(json.loads(Payload)))
        return {"Payload": io.BytesIO(next(self._answers).model_dump_json().encode())}


def node(kind: NodeKind, name: str, **said: Any) -> TracedNode:
    return TracedNode(key=f"arn:{name}", kind=kind, label=name, depth=1, **said)


def impact(*nodes: TracedNode, more: int = 0) -> ImpactAnswer:
    kinds = dict.fromkeys(found.kind for found in nodes)
    affected = tuple(
        AffectedKind(
            kind=kind,
            count=sum(found.kind is kind for found in nodes) + more,
            nodes=tuple(found for found in nodes if found.kind is kind),
        )
        for kind in kinds
    )
    return ImpactAnswer(start=node(NodeKind.DATASET_VERSION, "raw"), affected=affected, complete=True)


def test_models_and_endpoints_that_came_of_a_snapshot_are_told_endpoints_first() -> None:
    functions = Functions(
        impact(
            node(NodeKind.PROCESSING_JOB, "prepare"),
            node(NodeKind.MODEL_PACKAGE, "wine:1", status="Approved"),
            node(NodeKind.ENDPOINT, "live", status="InService", deleted=True),
        )
    )
    affected, complete = SubjectDescent(LineageService("query", functions)).affected_by("s3://b/raw#sha256:aa")

    assert [(found.kind, found.label, found.status) for found in affected] == [
        ("endpoint", "live", "Deleted"),
        ("model-package", "wine:1", "Approved"),
    ]
    assert complete
    # Also what an endpoint served and serves no longer.
    assert functions.asked == [ImpactQuestion(node="s3://b/raw#sha256:aa", history=True)]


def test_an_answer_that_names_not_all_says_so() -> None:
    functions = Functions(impact(node(NodeKind.MODEL, "m"), more=7))

    assert SubjectDescent(LineageService("query", functions)).affected_by("s")[1] is False


def test_models_beyond_the_first_page_are_told_and_pages_of_other_kinds_are_not_asked_for() -> None:
    first = impact(node(NodeKind.MODEL, "m1"), node(NodeKind.DATASET_VERSION, "d"), more=1)
    second = impact(node(NodeKind.MODEL, "m2"), node(NodeKind.DATASET_VERSION, "e"), more=1)
    functions = Functions(*(page.model_copy(update={"resume": "token"}) for page in (first, second)))

    affected, complete = SubjectDescent(LineageService("query", functions)).affected_by("s")

    assert ([found.label for found in affected], complete) == (["m1", "m2"], True)
    assert functions.asked[1:] == [ImpactQuestion(node="s", history=True, resume="token")]


def test_every_snapshot_is_counted_page_by_page() -> None:
    versions = tuple(node(NodeKind.DATASET_VERSION, str(number)) for number in range(3))
    functions = Functions(
        ListAnswer(nodes=versions[:2], complete=False, resume="more"), ListAnswer(nodes=versions[2:], complete=True)
    )

    assert SubjectDescent(LineageService("query", functions)).snapshots() == 3
