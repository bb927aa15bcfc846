"""Makes entities as SageMaker does by itself: what exists already is used again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.sagemaker.contract import ResourceChanged
from local.sagemaker.lineage.entities import (
    ACTION,
    ARTIFACT,
    CONTEXT,
    TRIAL_COMPONENT,
    AccountLineage,
    Association,
    Entity,
    EntityKind,
)
from local.sagemaker.lineage.entity_operations import artifact_id
from local.sagemaker.resources import utc_now

Uses = list[tuple[str, str]]  # (type, SourceUri) of artifacts


class EntityMaker:
    """Makes the entities that the change of one resource calls for; to be used under the lock of the store.

    "SageMaker AI reuses any existing entities rather than creating new ones" (Lineage Tracking Entities, developer
    guide): every method may be called again for the same thing.
    """

    def __init__(self, account: AccountLineage, change: ResourceChanged) -> None:
        self._account = account
        self.change = change

    def resource_arn(self, resource: str) -> str:
        """Return the ARN of a resource beside the one that changed, e.g. ``model-package-group/mine``."""
        return f"{self.change.arn.rpartition(':')[0]}:{resource}"

    def trial_component(self, entity_type: str, suffix: str, members: Mapping[str, Any]) -> Entity:
        """Return the trial component of the job that changed, with ``members`` as they are now.

        Args:
            entity_type: ``TrainingJob`` and so on.
            suffix: What follows the job's name in the component's, ``-aws-training-job`` and so on.
            members: Members of the Describe answer.
        """
        name = f"{self.change.arn.rpartition('/')[2]}{suffix}"
        arn = self._account.arn(TRIAL_COMPONENT, name)
        entity = self._account.find(arn) or self._make(
            TRIAL_COMPONENT, arn, name, entity_type, {"SourceUri": self.change.arn}
        )
        self._revise(entity, members)
        return entity

    def artifact(self, uri: str, entity_type: str, members: Mapping[str, Any] | None = None) -> Entity:
        """Return the artifact of ``uri``; "there can be only one artifact with a unique SourceUri"."""
        arn = self._account.arn(ARTIFACT, artifact_id(uri))
        return self._account.find(arn) or self._make(
            ARTIFACT, arn, None, entity_type, {"SourceUri": uri, "SourceTypes": []}, members
        )

    def artifacts(self, uses: Iterable[tuple[str, str]]) -> list[Entity]:
        """Return the artifact of each use."""
        return [self.artifact(uri, entity_type) for entity_type, uri in uses]

    def latest_context(self, source_uri: str) -> Entity | None:
        """Return the context that was made last for a source, if there is one."""
        contexts = [each for each in self._account.of_kind(CONTEXT, source_uri) if each.automatic]
        return contexts[-1] if contexts else None

    def context(
        self, entity_type: str, made_at: datetime, suffix: str, properties: Mapping[str, str] | None = None
    ) -> Entity:
        """Return the context of the resource that changed, which another made at ``made_at`` may have preceded."""
        name = f"{self.change.arn.rpartition('/')[2]}-{int(made_at.timestamp())}{suffix}"
        arn = self._account.arn(CONTEXT, name)
        source = _arn_source(self.change.arn, made_at.astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y"))
        return self._account.find(arn) or self._make(CONTEXT, arn, name, entity_type, source, properties=properties)

    def action(self, name: str, entity_type: str, source_id: str, status: str) -> Entity:
        """Return the action ``name`` on the resource that changed, with ``status`` as it is now."""
        arn = self._account.arn(ACTION, name)
        entity = self._account.find(arn) or self._make(
            ACTION, arn, name, entity_type, _arn_source(self.change.arn, source_id)
        )
        self._revise(entity, {"Status": status})
        return entity

    def associate(self, source: Entity, destination: Entity, association_type: str) -> None:
        """Associate two entities unless they are."""
        if self._account.find_association(source.arn, destination.arn) is None:
            self._account.associate(
                Association(
                    source=source,
                    destination=destination,
                    type=association_type,
                    sequence=self._account.next_sequence(),
                    made_at=utc_now(),
                    automatic=True,
                )
            )

    def _make(
        self,
        kind: EntityKind,
        arn: str,
        name: str | None,
        entity_type: str,
        source: dict[str, Any],
        members: Mapping[str, Any] | None = None,
        *,
        properties: Mapping[str, str] | None = None,
    ) -> Entity:
        now = utc_now()
        return self._account.add(
            Entity(
                kind=kind,
                arn=arn,
                name=name,
                type=entity_type,
                source=source,
                sequence=self._account.next_sequence(),
                made_at=now,
                modified_at=now,
                automatic=True,
                properties=dict(properties or {}),
                members=dict(members or {}),
            )
        )

    def _revise(self, entity: Entity, members: Mapping[str, Any]) -> None:
        if any(entity.members.get(name) != value for name, value in members.items()):
            entity.members |= members
            entity.modified_at = utc_now()


def _arn_source(arn: str, source_id: str) -> dict[str, Any]:
    return {"SourceUri": arn, "SourceType": "ARN", "SourceId": source_id}
