"""SageMaker Lineage, and the budget of what may be made in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.lineage.mirroring import Entity, NewArtifact
from hallmark.lineage.model import EdgeType


class SageMakerLineage:
    """LineageMirror over SageMaker's API."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find_artifact(self, source_uri: str) -> str | None:
        """Return the ARN of the artifact with a source URI; None where there is none."""
        with calling("finding an artifact"):
            found = self._client.list_artifacts(SourceUri=source_uri, MaxResults=1)["ArtifactSummaries"]
        return str(found[0]["ArtifactArn"]) if found else None

    def create_artifact(self, artifact: NewArtifact) -> str:
        """Create an artifact, or find the one that there is; return its ARN.

        Raises:
            UnavailableError: SageMaker did not answer, or the account may have no more artifacts.
        """
        try:
            with calling("creating an artifact"):
                answer = self._client.create_artifact(
                    ArtifactName=artifact.name,
                    ArtifactType=artifact.type,
                    Source={"SourceUri": artifact.source_uri},
                    Properties=dict(artifact.properties),
                )
        except ClientError as error:
            # SageMaker says ValidationException where the source URI has an artifact already.
            found = self.find_artifact(artifact.source_uri) if error_code(error) == "ValidationException" else None
            if found is None:
                raise UnavailableError(f"creating an artifact: {describe_error(error)}") from error
            return found
        return str(answer["ArtifactArn"])

    def associate(self, source_arn: str, target_arn: str, kind: EdgeType) -> bool:
        """Associate two entities; False where they are associated already.

        Raises:
            NotFoundError: One of them does not exist (yet).
            UnavailableError: SageMaker did not answer, or the account may have no more associations.
        """
        try:
            with calling("associating"):
                self._client.add_association(
                    SourceArn=source_arn, DestinationArn=target_arn, AssociationType=kind.value
                )
        except ClientError as error:
            if error_code(error) == "ValidationException":
                return False
            if error_code(error) in {"ResourceNotFound", "ResourceNotFoundException"}:
                raise NotFoundError(f"{source_arn} or {target_arn}") from error
            raise UnavailableError(f"associating: {describe_error(error)}") from error
        return True


class MirrorBudget:
    """Budget over one item of the lineage table: a reservation before each creation, so that none is overspent."""

    def __init__(self, table_name: str, client: Any, limits: Mapping[Entity, int]) -> None:
        self._table = table_name
        self._client = client
        self._limits = limits

    def take(self, entity: Entity) -> bool:
        """Reserve one entity; False where the budget is spent."""
        try:
            self._add(entity, 1, "attribute_not_exists(#entity) OR #entity < :limit", self._limits[entity])
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def give_back(self, entity: Entity) -> None:
        """Return a reservation that was not needed."""
        self._add(entity, -1, "#entity > :limit", 0)

    def left(self) -> dict[str, int]:
        """Return how many entities may still be made."""
        with calling("reading the mirror's budget"):
            item = self._client.get_item(TableName=self._table, Key=_BUDGET_KEY).get("Item", {})
        spent = {name: int(value["N"]) for name, value in item.items() if "N" in value}
        return {entity: limit - spent.get(entity, 0) for entity, limit in self._limits.items()}

    def _add(self, entity: Entity, number: int, condition: str, limit: int) -> None:
        with calling("reserving in the mirror's budget"):
            self._client.update_item(
                TableName=self._table,
                Key=_BUDGET_KEY,
                UpdateExpression="ADD #entity :number",
                ConditionExpression=condition,
                ExpressionAttributeNames={"#entity": entity},
                ExpressionAttributeValues={":number": {"N": str(number)}, ":limit": {"N": str(limit)}},
            )


_BUDGET_KEY = {"pk": {"S": "BUDGET#mirror"}, "sk": {"S": "BUDGET"}}
