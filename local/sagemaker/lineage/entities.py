"""Lineage entities, the associations between them, and the lineage of one account and Region."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.sagemaker.contract import Call

DEFAULT_GROUP = "sagemaker-default-lineage-group"  # "Tracking Cross-Account Lineage", SageMaker developer guide


@dataclass(frozen=True)
class EntityKind:
    """A kind of entity.

    Attributes:
        title: The word in the API's members (``ArtifactArn``) and in a vertex's ``LineageType``.
        arn_word: The word in its ARNs.
    """

    title: str
    arn_word: str

    @property
    def arn_member(self) -> str:
        """Member that holds the ARN."""
        return f"{self.title}Arn"

    @property
    def name_member(self) -> str:
        """Member that holds the name."""
        return f"{self.title}Name"

    @property
    def type_member(self) -> str:
        """Member that holds the type."""
        return f"{self.title}Type"


ARTIFACT = EntityKind("Artifact", "artifact")
ACTION = EntityKind("Action", "action")
CONTEXT = EntityKind("Context", "context")
TRIAL_COMPONENT = EntityKind("TrialComponent", "experiment-trial-component")


@dataclass(eq=False)
class Entity:
    """One entity.

    Attributes:
        kind: Its kind.
        arn: Its ARN.
        name: Its name; artifacts need none, and those that SageMaker makes have none.
        type: Its type, as a vertex of QueryLineage shows it.
        source: What it stands for: ``SourceUri`` and more.
        sequence: Order of making, which decides between equal times.
        made_at: When it was made.
        modified_at: When it was changed last.
        made_by: Who made it, a ``UserContext``; empty for SageMaker itself.
        modified_by: Who changed it last.
        automatic: Whether SageMaker made it by itself.
        properties: Its properties.
        tags: Its tags.
        members: Further members that Describe answers.
    """

    kind: EntityKind
    arn: str
    name: str | None
    type: str
    source: dict[str, Any]
    sequence: int
    made_at: datetime
    modified_at: datetime
    made_by: dict[str, Any] = field(default_factory=dict)
    modified_by: dict[str, Any] = field(default_factory=dict)
    automatic: bool = False
    properties: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)

    @property
    def associated_type(self) -> str:
        """The type as ListAssociations shows it: ``SageMakerTrainingJob`` for the trial component of a job."""
        return f"SageMaker{self.type}" if self.kind is TRIAL_COMPONENT else self.type

    @property
    def source_uri(self) -> str:
        """URI of what it stands for."""
        uri: str = self.source["SourceUri"]
        return uri


@dataclass(frozen=True, eq=False)
class Association:
    """A directed edge between two entities; the fields are those of :class:`Entity`."""

    source: Entity
    destination: Entity
    type: str | None
    sequence: int
    made_at: datetime
    made_by: dict[str, Any] = field(default_factory=dict)
    automatic: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """ARNs of source and destination, which name the association."""
        return self.source.arn, self.destination.arn


class AccountLineage:
    """The lineage of one account and Region; its methods are called under the lock of :class:`LineageStore`."""

    def __init__(self, partition: str, region: str, account: str) -> None:
        self._arn_prefix = f"arn:{partition}:sagemaker:{region}:{account}:"
        self._entities: dict[str, Entity] = {}
        self._by_source: dict[tuple[EntityKind, str], dict[str, Entity]] = {}
        self._outgoing: dict[str, dict[str, Association]] = {}
        self._incoming: dict[str, dict[str, Association]] = {}
        self._made_by_users: Counter[str] = Counter()
        self._sequence = 0
        self.first_made_at: datetime | None = None

    def arn(self, kind: EntityKind, identifier: str) -> str:
        """Return the ARN of an entity of this account."""
        return f"{self._arn_prefix}{kind.arn_word}/{identifier}"

    @property
    def group_arn(self) -> str:
        """ARN of the account's lineage group."""
        return f"{self._arn_prefix}lineage-group/{DEFAULT_GROUP}"

    def next_sequence(self) -> int:
        """Return a number greater than all before."""
        self._sequence += 1
        return self._sequence

    def made_by_users(self, noun: str) -> int:
        """Return how many entities of one kind, or associations, exist that users made."""
        return self._made_by_users[noun]

    def find(self, arn: str) -> Entity | None:
        """Return the entity with this ARN, if there is one."""
        return self._entities.get(arn)

    def of_kind(self, kind: EntityKind, source_uri: str | None = None) -> list[Entity]:
        """Return the entities of one kind, and of one source if it is given, oldest first."""
        if source_uri is not None:
            return list(self._by_source.get((kind, source_uri), {}).values())
        return [entity for entity in self._entities.values() if entity.kind is kind]

    def all_entities(self) -> Iterable[Entity]:
        """Return every entity."""
        return self._entities.values()

    def add(self, entity: Entity) -> Entity:
        """Keep an entity whose ARN is new, and return it."""
        self._entities[entity.arn] = entity
        self._by_source.setdefault((entity.kind, entity.source_uri), {})[entity.arn] = entity
        self._count(entity.kind.title, entity.automatic, 1)
        self.first_made_at = self.first_made_at or entity.made_at
        return entity

    def remove(self, entity: Entity) -> None:
        """Forget an entity that has no associations."""
        del self._entities[entity.arn]
        sources = self._by_source[entity.kind, entity.source_uri]
        del sources[entity.arn]
        if not sources:
            del self._by_source[entity.kind, entity.source_uri]
        self._count(entity.kind.title, entity.automatic, -1)

    def find_association(self, source_arn: str, destination_arn: str) -> Association | None:
        """Return the association between two ARNs, if there is one."""
        return self._outgoing.get(source_arn, {}).get(destination_arn)

    def outgoing(self, arn: str) -> Iterable[Association]:
        """Return the associations whose source is ``arn``, oldest first."""
        return self._outgoing.get(arn, {}).values()

    def incoming(self, arn: str) -> Iterable[Association]:
        """Return the associations whose destination is ``arn``, oldest first."""
        return self._incoming.get(arn, {}).values()

    def all_associations(self) -> Iterator[Association]:
        """Return every association."""
        return (association for ends in self._outgoing.values() for association in ends.values())

    def associate(self, association: Association) -> None:
        """Keep an association whose ends are new."""
        source, destination = association.ends
        self._outgoing.setdefault(source, {})[destination] = association
        self._incoming.setdefault(destination, {})[source] = association
        self._count("Association", association.automatic, 1)

    def dissociate(self, association: Association) -> None:
        """Forget an association."""
        source, destination = association.ends
        del self._outgoing[source][destination]
        del self._incoming[destination][source]
        self._count("Association", association.automatic, -1)

    def _count(self, noun: str, automatic: bool, change: int) -> None:
        if not automatic:
            self._made_by_users[noun] += change


class LineageStore:
    """The lineage of all accounts and Regions, and the lock under which it is read and changed."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._accounts: dict[tuple[str, str, str], AccountLineage] = {}

    def of(self, partition: str, region: str, account: str) -> AccountLineage:
        """Return the lineage of one account and Region, empty at first."""
        key = (partition, region, account)
        with self.lock:
            if key not in self._accounts:
                self._accounts[key] = AccountLineage(*key)
            return self._accounts[key]

    def of_call(self, call: Call) -> AccountLineage:
        """Return the lineage of the caller's account and Region."""
        return self.of(call.partition, call.region, call.account)

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self._accounts.clear()


def user_context(call: Call) -> dict[str, Any]:
    """Return who calls, as ``CreatedBy`` and ``LastModifiedBy`` show it."""
    return {"IamIdentity": {"Arn": call.caller_arn}} if call.caller_arn else {}
