"""SageMaker Lineage, and the budget of what may be made in it."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import HallmarkError, InvalidInputError, NotFoundError, UnavailableError
from hallmark.lineage.mirroring import Entity, LimitReachedError, NewArtifact, NotMadeError
from hallmark.lineage.model import EdgeType

_MISSING_CODES = {"ResourceNotFound", "ResourceNotFoundException"}
_PROPERTIES = 30
"""SageMaker API reference, UpdateArtifact."""
_SERVER_FAULTS_FROM = 500


class SageMakerLineage:
    """LineageMirror over SageMaker's API.

    SageMaker says ``ValidationException`` both of what exists already and of what it does not understand; what is there
    tells them apart.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def find_artifact(self, source_uri: str) -> str | None:
        """Return the ARN of the artifact with a source URI; None where there is none.

        Raises:
            UnavailableError: SageMaker did not answer.
        """
        with calling("finding an artifact"):
            found = self._client.list_artifacts(SourceUri=source_uri, MaxResults=1)["ArtifactSummaries"]
        return str(found[0]["ArtifactArn"]) if found else None

    def create_artifact(self, artifact: NewArtifact) -> tuple[str, bool]:
        """Create an artifact, or find the one that there is; return its ARN, and whether it was made now.

        Raises:
            InvalidInputError: SageMaker does not take it.
            LimitReachedError: The account may have no more.
            NotMadeError: SageMaker takes no request now.
            UnavailableError: SageMaker did not answer; it may have been made.
        """
        request: dict[str, Any] = {
            "ArtifactName": artifact.name,
            "ArtifactType": artifact.type,
            "Source": {"SourceUri": artifact.source_uri},
            "Properties": dict(artifact.properties),
            **({"MetadataProperties": dict(artifact.metadata)} if artifact.metadata else {}),
        }
        try:
            with calling("creating an artifact"):
                return str(self._client.create_artifact(**request)["ArtifactArn"]), True
        except UnavailableError as error:
            if not _was_refused(error):
                raise
            # An attempt before the refused one may have been carried out unheard.
            found = self.find_artifact(artifact.source_uri)
            if found is None:
                raise NotMadeError(str(error)) from error
            return found, True
        except ClientError as error:
            _raise_limit(error)
            if error_code(error) != "ValidationException":
                raise
            found = self.find_artifact(artifact.source_uri)
            if found is None:
                raise InvalidInputError("the artifact", artifact, describe_error(error)) from error
            return found, _was_repeated(error)

    def associate(self, source_arn: str, target_arn: str, kind: EdgeType) -> bool:
        """Associate two entities; False where they are associated already.

        Raises:
            InvalidInputError: SageMaker does not take it.
            LimitReachedError: The account may have no more.
            NotFoundError: One of them does not exist (yet).
            NotMadeError: SageMaker takes no request now.
            UnavailableError: SageMaker did not answer; it may have been made.
        """
        ends = {"SourceArn": source_arn, "DestinationArn": target_arn}
        try:
            with calling("associating"):
                self._client.add_association(**ends, AssociationType=kind.value)
        except UnavailableError as error:
            if not _was_refused(error):
                raise
            if not self._is_associated(ends):
                raise NotMadeError(str(error)) from error
        except ClientError as error:
            _raise_limit(error)
            if error_code(error) in _MISSING_CODES:
                raise NotFoundError(f"{source_arn} or {target_arn}") from error
            if error_code(error) != "ValidationException":
                raise
            if not self._is_associated(ends):
                raise InvalidInputError("the association", ends, describe_error(error)) from error
            return _was_repeated(error)
        return True

    def describe(self, artifact_arn: str, properties: Mapping[str, str]) -> bool:
        """Add properties to an artifact, as many as it can have; False where it has them already.

        Raises:
            UnavailableError: SageMaker did not answer, or someone else changes the artifact now.
        """
        try:
            with calling("reading an artifact"):
                known = self._client.describe_artifact(ArtifactArn=artifact_arn).get("Properties") or {}
            # An update overwrites the whole list (SageMaker API reference, UpdateArtifact).
            merged = dict([*known.items(), *((name, properties[name]) for name in properties)][:_PROPERTIES])
            if merged == known:
                return False
            with calling("describing an artifact"):
                self._client.update_artifact(ArtifactArn=artifact_arn, Properties=merged)
        except ClientError as error:
            if error_code(error) in {"ConflictException", *_MISSING_CODES}:
                raise UnavailableError(f"describing {artifact_arn}: {describe_error(error)}") from error
            raise
        return True

    def _is_associated(self, ends: Mapping[str, str]) -> bool:
        with calling("finding an association"):
            return bool(self._client.list_associations(**ends, MaxResults=1)["AssociationSummaries"])


def _raise_limit(error: ClientError) -> None:
    if error_code(error) == "ResourceLimitExceeded":
        raise LimitReachedError(describe_error(error)) from error


def _was_refused(error: UnavailableError) -> bool:
    """Tell whether the service answered that it did nothing (throttling), rather than not at all."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return False
    return int(cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) < _SERVER_FAULTS_FROM


def _was_repeated(error: ClientError) -> bool:
    """Tell whether botocore sent the request more than once: what exists already may have been made by the first."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)) > 0


class MirrorBudget:
    """Budget over one item of the lineage table: a reservation before each creation, so that none is overspent.

    A reservation whose function died before it made anything is lost; the budget errs on that side only. The threads
    of one function change the budget one after the other: all that disturbs a return then are other functions.
    """

    def __init__(self, table_name: str, client: Any, limits: Mapping[Entity, int]) -> None:
        self._table = table_name
        self._client = client
        self._limits = limits
        self._changing = Lock()

    def take(self, entity: Entity) -> bool:
        """Reserve one entity; False where the budget is spent.

        Raises:
            UnavailableError: DynamoDB did not answer; a reservation may be lost.
        """
        if self._limits[entity] <= 0:
            return False
        # An attempt that was carried out unheard and repeated reserves twice: an error on the safe side.
        values = {":one": 1, ":limit": self._limits[entity]}
        try:
            with self._changing:
                self._change(entity, "ADD #entity :one", "attribute_not_exists(#entity) OR #entity < :limit", values)
        except _UnmetError:
            return False
        return True

    def give_back(self, entity: Entity) -> None:
        """Return a reservation that was not needed; it is lost where too many others change the budget meanwhile.

        Raises:
            UnavailableError: DynamoDB did not answer; a reservation may be lost.
        """
        # Not a subtraction: that, carried out unheard and repeated, would return what is spent.
        with self._changing:
            for _ in range(_GIVE_BACK_ATTEMPTS):
                spent = self._spent().get(entity, 0)
                if spent <= 0:
                    return
                try:
                    self._change(
                        entity, "SET #entity = :less", "#entity = :spent", {":less": spent - 1, ":spent": spent}
                    )
                except _UnmetError as error:
                    if error.was_repeated:
                        return
                else:
                    return

    def left(self) -> dict[str, int]:
        """Return how many entities may still be made.

        Raises:
            UnavailableError: DynamoDB did not answer.
        """
        spent = self._spent()
        return {entity: limit - spent.get(entity, 0) for entity, limit in self._limits.items()}

    def _spent(self) -> dict[str, int]:
        with calling("reading the mirror's budget"):
            answer = self._client.get_item(TableName=self._table, Key=_BUDGET_KEY, ConsistentRead=True)
        return {name: int(value["N"]) for name, value in answer.get("Item", {}).items() if "N" in value}

    def _change(self, entity: Entity, update: str, condition: str, values: Mapping[str, int]) -> None:
        try:
            with calling("changing the mirror's budget"):
                self._client.update_item(
                    TableName=self._table,
                    Key=_BUDGET_KEY,
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#entity": entity},
                    ExpressionAttributeValues={name: {"N": str(value)} for name, value in values.items()},
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            raise _UnmetError(entity, was_repeated=_was_repeated(error)) from error


class _UnmetError(HallmarkError):
    """The condition of a change does not hold; where it was sent more than once, it may have been carried out."""

    def __init__(self, entity: Entity, *, was_repeated: bool) -> None:
        super().__init__(entity)
        self.was_repeated = was_repeated


_BUDGET_KEY = {"pk": {"S": "BUDGET#mirror"}, "sk": {"S": "BUDGET"}}
_GIVE_BACK_ATTEMPTS = 10
