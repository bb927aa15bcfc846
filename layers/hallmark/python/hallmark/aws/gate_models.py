"""The models that gates judge, as SageMaker and lineage know them, and the reports of their packages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.aws.gate_measurements import source_of_quality_report
from hallmark.aws.lineage_service import LineageService
from hallmark.aws.package_digests import package_digest
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.evaluation.runs import MODEL_ID_PROPERTY
from hallmark.gates.evidence import ChampionEvidence, MetricEvidence, Source
from hallmark.gates.ports import Subject
from hallmark.gates.uncertainty import Measured

_UNKNOWN_CODES = frozenset({"ValidationException", "ResourceNotFound", "ResourceNotFoundException"})
_MISSING_OBJECTS = frozenset({"NoSuchKey", "NoSuchBucket", "404", "AccessDenied"})
_REPORT_BYTES = 5_000_000


class _Read(NamedTuple):
    """A quality report, or why there is none."""

    uri: str
    document: Mapping[str, Any] | None = None
    digest: str = ""
    modified: datetime | None = None
    problem: str = ""


class SageMakerModels:
    """Registry over SageMaker; what serves behind an endpoint, lineage knows."""

    def __init__(self, sagemaker: Any, s3: Any, lineage: LineageService) -> None:
        self._sagemaker, self._s3, self._lineage = sagemaker, s3, lineage
        self._packages: dict[str, Mapping[str, Any] | None] = {}

    def describe(self, model: str) -> Subject:
        """Return what is known of a model."""
        if ":model-package/" in model:
            return self._package(model, Subject(model=model, name=_spoken(model), package=model))
        if ":endpoint/" in model:
            subject = Subject(model=model, name=model.rpartition("/")[2], endpoint=model)
            packages = self._lineage.packages_behind(model)
            if len(packages) != 1:
                reason = (
                    f"lineage knows no model package behind the endpoint {subject.name}"
                    if not packages
                    else f"the endpoint {subject.name} serves {len(packages)} model packages: gate them one by one"
                )
                return subject._replace(problems=(reason,))
            return self._package(packages[0], subject._replace(package=packages[0]))
        return Subject(model=model, name=model.rpartition("/")[2] or model, model_id=model)

    def _package(self, package: str, subject: Subject) -> Subject:
        described = self._described(package)
        if described is None:
            return subject._replace(problems=(*subject.problems, f"there is no model package {package} (any more)"))
        properties = described.get("CustomerMetadataProperties") or {}
        return subject._replace(
            group=str(described.get("ModelPackageGroupName") or ""),
            model_id=str(properties.get(MODEL_ID_PROPERTY) or ""),
            package=str(described.get("ModelPackageArn") or package),
            digest=package_digest(described),
        )

    def _described(self, package: str) -> Mapping[str, Any] | None:
        if package not in self._packages:
            try:
                with calling(f"describing {package}"):
                    self._packages[package] = self._sagemaker.describe_model_package(ModelPackageName=package)
            except ClientError as error:
                if error_code(error) not in _UNKNOWN_CODES:
                    raise UnavailableError(f"describing {package}: {describe_error(error)}") from error
                self._packages[package] = None
        return self._packages[package]

    def quality_report(self, subject: Subject) -> tuple[Source | None, tuple[str, ...]]:
        """Return the package's own quality report, and what could not be read."""
        uri, document, digest, modified, problem = self._document(subject.package)
        if document is None or modified is None:
            return None, (problem,) if problem else ()
        try:
            source = source_of_quality_report(document, uri=uri, completed_at=modified)
        except InvalidInputError as error:
            return None, (f"{uri}: {error}",)
        against = tuple(self._against(subject, document, each) for each in source.metrics)
        return source.model_copy(update={"against": against, "document": uri, "digest": digest}), ()

    def _against(self, subject: Subject, document: Mapping[str, Any], metric: MetricEvidence) -> ChampionEvidence:
        """Hold a metric against that of the group's latest approved version before this one."""
        champion = self._champion(subject)
        if champion is None:
            return ChampionEvidence(metric=metric.name, champion="")
        name = _spoken(champion)
        uri, other, _, modified, problem = self._document(champion)
        if other is None or modified is None:
            return ChampionEvidence(metric=metric.name, champion=name, incomparable=(problem or "it has no report",))
        try:
            found = source_of_quality_report(other, uri=uri, completed_at=modified).find(metric.name)
        except InvalidInputError as error:
            return ChampionEvidence(metric=metric.name, champion=name, incomparable=(f"{uri}: {error}",))
        apart: Measured | None = None if found is None else found.measured
        return ChampionEvidence(
            metric=metric.name,
            champion=name,
            champion_value=None if found is None else found.value,
            apart=apart,
            incomparable=_differences(document, other),
        )

    def _champion(self, subject: Subject) -> str | None:
        if not subject.group:
            return None
        with calling(f"listing the packages of {subject.group}"):
            listed = self._sagemaker.list_model_packages(
                ModelPackageGroupName=subject.group,
                ModelApprovalStatus="Approved",
                SortBy="CreationTime",
                SortOrder="Descending",
                MaxResults=20,
            )["ModelPackageSummaryList"]
        own = _version(subject.package)
        earlier = [str(each["ModelPackageArn"]) for each in listed if int(each.get("ModelPackageVersion", 0)) < own]
        return earlier[0] if earlier else None

    def _document(self, package: str) -> _Read:
        described = self._described(package)
        if described is None:
            return _Read("", problem=f"there is no model package {package} (any more)")
        statistics = ((described.get("ModelMetrics") or {}).get("ModelQuality") or {}).get("Statistics") or {}
        uri = str(statistics.get("S3Uri") or "")
        if not uri.startswith("s3://"):
            return _Read(uri, problem=f"{_spoken(package)} names no quality report (ModelMetrics.ModelQuality)")
        return self._read(uri)

    def _read(self, uri: str) -> _Read:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            with calling(f"reading {uri}"):
                answer = self._s3.get_object(Bucket=bucket, Key=key)
                text = answer["Body"].read(_REPORT_BYTES + 1)
        except ClientError as error:
            if error_code(error) not in _MISSING_OBJECTS:
                raise UnavailableError(f"reading {uri}: {describe_error(error)}") from error
            return _Read(uri, problem=f"{uri} cannot be read: {error_code(error)}")
        if len(text) > _REPORT_BYTES:
            return _Read(uri, problem=f"{uri} is larger than {_REPORT_BYTES:,} bytes")
        try:
            document = json.loads(text)
        except ValueError:
            return _Read(uri, problem=f"{uri} is not JSON")
        if not isinstance(document, dict):
            return _Read(uri, problem=f"{uri} is no JSON object")
        return _Read(uri, document, sha256(text).hexdigest(), answer["LastModified"])


def _differences(document: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    digests = [(each.get("dataset") or {}).get("digest") for each in (document, other)]
    if None in digests:
        return ("the reports do not say on which data they rest (dataset.digest)",)
    return () if digests[0] == digests[1] else ("they were measured on different data",)


def _spoken(package: str) -> str:
    return package.rpartition(":model-package/")[2].replace("/", ":")


def _version(package: str) -> int:
    last = package.rpartition("/")[2]
    return int(last) if last.isdigit() else 0
