"""Create, Update, Describe, List and Delete of artifacts, actions and contexts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.lineage.entities import (
    ACTION,
    ARTIFACT,
    CONTEXT,
    AccountLineage,
    Entity,
    EntityKind,
    LineageStore,
    user_context,
)
from local.sagemaker.lineage.limits import MAX_PROPERTIES, LineageLimits
from local.sagemaker.lineage.pages import SortKey, is_descending, page, time_key, within
from local.sagemaker.resources import tags_of, utc_now

_MEMBERS = ("Description", "Status", "MetadataProperties")


def artifact_id(source_uri: str) -> str:
    """Return the last part of the ARN of the artifact of a source: the same in every account, as on AWS.

    The SDK for Python tells by it that two accounts' artifacts stand for the same thing.
    """
    return hashlib.sha256(source_uri.encode()).hexdigest()[:32]


def not_found(arn_or_name: str, noun: str) -> ServiceError:
    """Return the error for an entity that does not exist."""
    return ServiceError("ResourceNotFound", f"{noun} {arn_or_name} does not exist")


def refused(message: str) -> ServiceError:
    """Return the error for what the API does not allow."""
    return ServiceError("ValidationException", message)


def check_limit(account: AccountLineage, noun: str, limit: int) -> None:
    """Refuse one more of what users have made up to the account's limit.

    Raises:
        ServiceError: ``ResourceLimitExceeded``.
    """
    made = account.made_by_users(noun)
    if made >= limit:
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit 'Total number of {noun.lower()}s' is {limit}, with {made} made already: "
            f"delete some, or request an increase for this limit",
        )


def apply_properties(entity: Entity, parameters: Mapping[str, Any]) -> None:
    """Set ``Properties`` anew where the request has them, then drop ``PropertiesToRemove``.

    "The new list of properties. Overwrites the current property list." (API reference, UpdateArtifact)

    Raises:
        ServiceError: There would be too many.
    """
    properties = dict(parameters.get("Properties", entity.properties))
    for name in parameters.get("PropertiesToRemove", ()):
        properties.pop(name, None)
    if len(properties) > MAX_PROPERTIES:
        raise refused(f"{entity.arn} would have {len(properties)} properties; at most {MAX_PROPERTIES} are allowed")
    entity.properties = properties


class EntityOperations:
    """The operations of one kind of entity, over the lineage of all accounts."""

    def __init__(self, store: LineageStore, kind: EntityKind, limits: LineageLimits) -> None:
        self._store = store
        self._kind = kind
        self._limits = limits

    def operations(self) -> dict[str, Operation]:
        """Return the operations by their names in the API."""
        title = self._kind.title
        return {
            f"Create{title}": self.create,
            f"Update{title}": self.update,
            f"Describe{title}": self.describe,
            f"List{title}s": self.list,
            f"Delete{title}": self.delete,
        }

    def create(self, call: Call) -> Description:
        """Make an entity; "an error occurs if you try to create an entity that already exists"."""
        parameters, kind, account = call.parameters, self._kind, self._store.of_call(call)
        name = parameters.get(kind.name_member)
        uri = parameters["Source"]["SourceUri"]
        arn = account.arn(kind, artifact_id(uri) if kind is ARTIFACT else parameters[kind.name_member])
        if account.find(arn) is not None:
            taken = f"the SourceUri '{uri}'" if kind is ARTIFACT else f"the name '{name}'"
            raise refused(f"{kind.title} {arn} with {taken} exists already: update it, or use another")
        check_limit(account, kind.title, self._limits.of(kind.title))
        now, user = utc_now(), user_context(call)
        account.add(
            Entity(
                kind=kind,
                arn=arn,
                name=name,
                type=parameters[kind.type_member],
                source=dict(parameters["Source"]),
                sequence=account.next_sequence(),
                made_at=now,
                modified_at=now,
                made_by=user,
                modified_by=user,
                properties=dict(parameters.get("Properties", {})),
                tags=tags_of(parameters),
                members={member: parameters[member] for member in _MEMBERS if member in parameters},
            )
        )
        return {kind.arn_member: arn}

    def update(self, call: Call) -> Description:
        """Change an entity."""
        entity = self._find(call)
        apply_properties(entity, call.parameters)
        entity.members |= {name: call.parameters[name] for name in _MEMBERS if name in call.parameters}
        if self._kind is ARTIFACT:
            entity.name = call.parameters.get("ArtifactName", entity.name)
        entity.modified_at, entity.modified_by = utc_now(), user_context(call)
        return {self._kind.arn_member: entity.arn}

    def describe(self, call: Call) -> Description:
        """Answer what is known of an entity."""
        entity = self._find(call)
        return {
            **self._summary(entity),
            **entity.members,
            "Properties": dict(entity.properties),
            "CreatedBy": entity.made_by,
            "LastModifiedBy": entity.modified_by,
            "LineageGroupArn": self._store.of_call(call).group_arn,
        }

    def list(self, call: Call) -> Description:
        """Answer a page of summaries."""
        parameters, kind = call.parameters, self._kind
        wanted_type = parameters.get(kind.type_member)
        entities = (
            entity
            for entity in self._store.of_call(call).of_kind(kind, parameters.get("SourceUri"))
            if wanted_type in {None, entity.type} and within(entity.made_at, parameters)
        )

        def key(entity: Entity) -> SortKey:
            if parameters.get("SortBy") == "Name":
                return (entity.name or "", entity.sequence)
            return (time_key(entity.made_at), entity.sequence)

        chosen, token = page(call, entities, key, descending=is_descending(call))
        return {f"{kind.title}Summaries": [self._summary(entity, status=True) for entity in chosen]} | token

    def delete(self, call: Call) -> Description:
        """Delete an entity that has no associations left."""
        account, entity = self._store.of_call(call), self._find(call)
        ends = [*account.outgoing(entity.arn), *account.incoming(entity.arn)]
        if ends:
            raise refused(
                f"{entity.arn} has {len(ends)} associations, the first from {ends[0].source.arn} "
                f"to {ends[0].destination.arn}: delete them with DeleteAssociation first"
            )
        account.remove(entity)
        return {self._kind.arn_member: entity.arn}

    def _find(self, call: Call) -> Entity:
        account, kind, parameters = self._store.of_call(call), self._kind, call.parameters
        wanted: str
        if kind is not ARTIFACT or "ArtifactArn" in parameters:
            wanted = parameters[kind.arn_member if kind is ARTIFACT else kind.name_member]
            arn = wanted if wanted.startswith("arn:") else account.arn(kind, wanted)
        elif "Source" in parameters:
            wanted = parameters["Source"]["SourceUri"]
            arn = account.arn(kind, artifact_id(wanted))
        else:
            raise refused("Either ArtifactArn or Source must be specified")
        entity = account.find(arn)
        if entity is None or entity.kind is not kind:
            raise not_found(wanted, kind.title)
        return entity

    def _summary(self, entity: Entity, *, status: bool = False) -> Description:
        summary = {
            self._kind.arn_member: entity.arn,
            self._kind.name_member: entity.name,
            "Source": dict(entity.source),
            self._kind.type_member: entity.type,
            "CreationTime": entity.made_at,
            "LastModifiedTime": entity.modified_at,
        }
        if status and "Status" in entity.members:
            summary["Status"] = entity.members["Status"]
        return {member: value for member, value in summary.items() if value is not None}


def entity_operations(store: LineageStore, limits: LineageLimits) -> dict[str, Operation]:
    """Return the operations of the three kinds that users make."""
    operations: dict[str, Operation] = {}
    for kind in (ARTIFACT, ACTION, CONTEXT):
        operations |= EntityOperations(store, kind, limits).operations()
    return operations
