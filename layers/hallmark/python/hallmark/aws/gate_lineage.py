"""What gates ask of lineage."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error
from hallmark.aws.lineage_service import LineageService
from hallmark.errors import UnavailableError
from hallmark.gates.origins import LineageEvidence, MonitorState, ObjectTags, Snapshot
from hallmark.gates.ports import Subject
from hallmark.lineage.model import CODE_ROLES, NodeKind
from hallmark.lineage.questions import (
    Candidates,
    Direction,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TraceQuestion,
)

_ANCESTORS = 5_000
_SNAPSHOTS = 50
_OBJECTS = 100
_DATA = frozenset({NodeKind.DATASET, NodeKind.DATASET_VERSION, NodeKind.FEATURE_GROUP})
_TRAINING = frozenset({NodeKind.TRAINING_JOB, NodeKind.CUSTOMIZATION_JOB, NodeKind.AUTOML_JOB})
_NO_TRAINING_DATA = CODE_ROLES | {"model-data", "model", "image"}
_UNCOMMITTED = ("-dirty", "+dirty")


class LineageOrigins:
    """Lineage of gates: where models came from and what watches them."""

    def __init__(self, service: LineageService, s3: Any) -> None:
        self._service, self._s3 = service, s3

    def provenance(self, subject: Subject, *, with_tags: bool) -> LineageEvidence | None:
        """Return where a model came from; None where lineage does not know it."""
        start = subject.package or subject.model
        answer = self._service.ask(TraceQuestion(node=start, direction=Direction.UP, node_budget=_ANCESTORS))
        if isinstance(answer, Candidates) or not isinstance(answer, TraceAnswer):
            return None
        kinds = {node.key: node.kind for node in answer.nodes}
        images = [node.key for node in answer.nodes if node.kind is NodeKind.IMAGE]
        commits = [node.key for node in answer.nodes if node.kind is NodeKind.CODE]
        trained, other = _data_of(answer, kinds)
        looked_at = (*trained, *other)[:_SNAPSHOTS] if with_tags else trained
        return LineageEvidence(
            node=answer.start.key,
            complete=answer.complete and (not with_tags or len(trained) + len(other) <= _SNAPSHOTS),
            snapshots=tuple(self._snapshot(key, kinds, key in trained, with_tags=with_tags) for key in looked_at),
            images_with_digest=tuple(image for image in images if "@sha256:" in image),
            images_without=tuple(image for image in images if "@sha256:" not in image),
            commits=tuple(commits),
            has_uncommitted=any(commit.endswith(_UNCOMMITTED) for commit in commits),
        )

    def monitors(self, subject: Subject) -> tuple[MonitorState, ...] | None:
        """Return what watches a model or its endpoints: the latest report of each monitor says how it stands."""
        states: dict[str, MonitorState] = {}
        places = self._watched(subject)
        for place, depth in places:
            answer = self._service.ask(TraceQuestion(node=place, direction=Direction.DOWN, depth=depth))
            if not isinstance(answer, TraceAnswer):
                continue
            for node in answer.nodes:
                if node.kind not in {NodeKind.DRIFT_REPORT, NodeKind.BASELINE}:
                    continue
                monitor = node.key.partition("/")[2].partition("/")[0]
                known, is_report = states.get(monitor), node.kind is NodeKind.DRIFT_REPORT
                if known is None or (is_report and node.at and (known.since is None or node.at > known.since)):
                    states[monitor] = MonitorState(
                        monitor=monitor,
                        subject=subject.endpoint.rpartition("/")[2] or subject.name,
                        is_open=is_report and node.status == "Drifted",
                        report=node.key if is_report else "",
                        since=node.at if is_report else None,
                    )
        return tuple(states.values()) if places else None

    def _watched(self, subject: Subject) -> list[tuple[str, int]]:
        """Return from where, and how far down, reports lie: they come of what an endpoint serves (docs/graph.md)."""
        if not subject.endpoint:
            # package -> model -> endpoint config -> drift report
            return [(subject.package or subject.model, 3)]
        answer = self._service.ask(TraceQuestion(node=subject.endpoint, direction=Direction.UP, depth=1))
        if not isinstance(answer, TraceAnswer):
            return []
        configs = [node.key for node in answer.nodes if node.kind is NodeKind.ENDPOINT_CONFIG]
        return [(subject.endpoint, 1), *((config, 1) for config in configs)]

    def _snapshot(self, key: str, kinds: dict[str, NodeKind], trained_on: bool, *, with_tags: bool) -> Snapshot:
        is_snapshot = kinds[key] is NodeKind.DATASET_VERSION
        return Snapshot(
            name=key.partition("#")[0],
            digest=key.partition("#sha256:")[2],
            is_snapshot=is_snapshot,
            trained_on=trained_on,
            tags=self._tags(key) if with_tags and is_snapshot else None,
        )

    def _tags(self, key: str) -> ObjectTags | None:
        """Read the tags of exactly the objects and versions that the snapshot has."""
        shown = self._service.ask(ShowQuestion(node=key))
        if not isinstance(shown, ShowAnswer):
            return None
        uri, manifest = shown.attributes.get("uri"), shown.attributes.get("manifest")
        if not isinstance(uri, str) or not isinstance(manifest, list) or not 0 < len(manifest) <= _OBJECTS:
            return None
        bucket = uri.removeprefix("s3://").partition("/")[0]
        found: list[frozenset[str]] = []
        for entry in manifest:
            version = {"VersionId": entry[1]} if entry[1] else {}
            try:
                with calling(f"reading the tags of {entry[0]}"):
                    answer = self._s3.get_object_tagging(Bucket=bucket, Key=str(entry[0]), **version)
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in {403, 404}:
                    return None
                raise UnavailableError(f"reading the tags of {entry[0]}: {describe_error(error)}") from error
            found.append(frozenset(f"{tag['Key']}={tag['Value']}" for tag in answer["TagSet"]))
        return ObjectTags(on_all=frozenset.intersection(*found), on_any=frozenset.union(*found))


def _data_of(answer: TraceAnswer, kinds: dict[str, NodeKind]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what training jobs read, and all other data upstream; code and model artifacts are neither."""
    trained: dict[str, None] = {}
    excluded = set()
    for edge in answer.edges:
        if kinds.get(edge.source) not in _DATA:
            continue
        if edge.role in _NO_TRAINING_DATA:
            excluded.add(edge.source)
        elif kinds.get(edge.target) in _TRAINING:
            trained[edge.source] = None
    produced = {edge.target for edge in answer.edges if edge.role in {"model", "model-data"}}
    other = [
        node.key
        for node in answer.nodes
        if node.kind is NodeKind.DATASET_VERSION and node.key not in trained and node.key not in excluded | produced
    ]
    return tuple(trained), tuple(other)
