"""Tokens of people in S3, their key from KMS, and what lineage knows of the snapshots that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, error_code
from hallmark.aws.lineage_service import LineageService
from hallmark.lineage.model import NodeKind
from hallmark.lineage.surveyed import ImpactAnswer, ImpactQuestion, ListAnswer, ListQuestion
from hallmark.subjects.finding import Affected

_PAGE = 1_000
_MISSING = frozenset({"NoSuchKey", "404"})
_TOKENS, _MANIFESTS = "tokens/", "manifests/"
_TOLD = (
    NodeKind.ENDPOINT,
    NodeKind.MODEL_PACKAGE,
    NodeKind.MODEL,
    NodeKind.CUSTOM_MODEL,
    NodeKind.MODEL_VERSION,
    NodeKind.TRAINING_JOB,
    NodeKind.CUSTOMIZATION_JOB,
)


class SubjectFiles:
    """TokenFiles in a bucket."""

    def __init__(self, bucket: str, client: Any) -> None:
        self._bucket, self._client = bucket, client

    def write_part(self, folder: str, part: int, content: bytes) -> None:
        """Write the tokens of a part."""
        self._put(_part(folder, part), content)

    def read_part(self, folder: str, part: int, start: int, end: int) -> bytes | None:
        """Return bytes of a part up to ``end``, -1 for its end; None where there is no such part."""
        return self._get(_part(folder, part), f"bytes={start}-{end - 1 if end >= 0 else ''}")

    def write_manifest(self, folder: str, content: bytes) -> None:
        """Write a manifest."""
        self._put(f"{_MANIFESTS}{folder}.json", content)

    def read_manifest(self, folder: str) -> bytes | None:
        """Return a manifest; None where there is none."""
        return self._get(f"{_MANIFESTS}{folder}.json")

    def manifests(self) -> Iterator[bytes]:
        """Yield all manifests."""
        with calling("listing what is recorded of people"):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=_MANIFESTS)
            keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        for key in keys:
            content = self._get(key)
            if content is not None:
                yield content

    def _put(self, key: str, content: bytes) -> None:
        with calling(f"writing {key}"):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)

    def _get(self, key: str, stretch: str | None = None) -> bytes | None:
        try:
            with calling(f"reading {key}"):
                wanted = {"Range": stretch} if stretch else {}
                content: bytes = self._client.get_object(Bucket=self._bucket, Key=key, **wanted)["Body"].read()
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
        return content


def _part(folder: str, part: int) -> str:
    return f"{_TOKENS}{folder}/{part:05d}"


class SubjectDescent:
    """Descent: asks ``query_lineage``."""

    def __init__(self, service: LineageService) -> None:
        self._service = service

    def affected_by(
        self, snapshot: str, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> tuple[tuple[Affected, ...], bool]:
        """Return what came of a snapshot, models and endpoints first, and whether this is all.

        Without ``as_of`` that is what ever came of it, also what an endpoint serves no longer.
        """
        pages: list[ImpactAnswer] = []
        question = ImpactQuestion(node=snapshot, history=as_of is None, as_of=as_of, known_at=known_at)
        resume = None
        while not pages or resume is not None:
            answer = self._service.ask(question.model_copy(update={"resume": resume}))
            if not isinstance(answer, ImpactAnswer):
                return (), False
            pages.append(answer)
            # Of nodes that nobody asks for here (data, images) there may be many more pages.
            told = sum(len(found.nodes) for page in pages for found in page.affected if found.kind in _TOLD)
            known = sum(found.count for found in answer.affected if found.kind in _TOLD)
            resume = None if answer.complete and told == known else answer.resume
        kinds = [found for kind in _TOLD for page in pages for found in page.affected if found.kind is kind]
        nodes = tuple(
            Affected(
                key=node.key,
                kind=node.kind.value,
                label=node.label,
                status="Deleted" if node.deleted else node.status,
            )
            for found in kinds
            for node in found.nodes
        )
        return nodes, pages[-1].complete and len(nodes) == known

    def snapshots(self, known_at: datetime | None = None) -> int:
        """Return how many snapshots of data are known."""
        count, resume = 0, None
        question = ListQuestion(kind=NodeKind.DATASET_VERSION, limit=_PAGE, known_at=known_at)
        while True:
            answer = self._service.ask(question.model_copy(update={"resume": resume}))
            if not isinstance(answer, ListAnswer):
                return count
            count += len(answer.nodes)
            resume = answer.resume
            if answer.complete or resume is None:
                return count
