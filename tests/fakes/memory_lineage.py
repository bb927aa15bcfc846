"""SageMaker Lineage and the mirror's budget over dictionaries."""

from __future__ import annotations

from collections.abc import Mapping

from hallmark.errors import NotFoundError
from hallmark.lineage.mirroring import Entity, LimitReachedError, NewArtifact
from hallmark.lineage.model import EdgeType


class MemoryLineage:
    """LineageMirror; ``own`` says what SageMaker made by itself: artifacts by address, and trial components."""

    def __init__(self, *own: str, limits: Mapping[Entity, int] | None = None) -> None:
        self.artifacts = {uri: _arn(uri) for uri in own if not uri.startswith("component:")}
        self.entities = {*self.artifacts.values(), *(uri.partition(":")[2] for uri in own)}
        self.made: list[NewArtifact] = []
        self.associations: dict[tuple[str, str], EdgeType] = {}
        self.properties: dict[str, dict[str, str]] = {}
        self._limits = limits or {"artifact": 6_000, "association": 6_000}

    def find_artifact(self, source_uri: str) -> str | None:
        return self.artifacts.get(source_uri)

    def create_artifact(self, artifact: NewArtifact) -> tuple[str, bool]:
        known = self.artifacts.get(artifact.source_uri)
        if known is not None:
            return known, False
        if len(self.made) >= self._limits["artifact"]:
            raise LimitReachedError("ResourceLimitExceeded")
        self.made.append(artifact)
        self.artifacts[artifact.source_uri] = _arn(artifact.source_uri)
        self.entities.add(_arn(artifact.source_uri))
        return _arn(artifact.source_uri), True

    def associate(self, source_arn: str, target_arn: str, kind: EdgeType) -> bool:
        for arn in (source_arn, target_arn):
            if arn not in self.entities:
                raise NotFoundError(arn)
        if (source_arn, target_arn) in self.associations:
            return False
        if len(self.associations) >= self._limits["association"]:
            raise LimitReachedError("ResourceLimitExceeded")
        self.associations[source_arn, target_arn] = kind
        return True

    def describe(self, artifact_arn: str, properties: Mapping[str, str]) -> bool:
        known = self.properties.setdefault(artifact_arn, {})
        if properties.items() <= known.items():
            return False
        known.update(properties)
        return True

    def linked(self) -> set[tuple[str, str, str]]:
        """Return the associations by address (of a component: its ARN)."""
        return {(_uri(source), kind.value, _uri(target)) for (source, target), kind in self.associations.items()}


class MemoryBudget:
    """Budget that counts."""

    def __init__(self, artifacts: int = 100, associations: int = 100) -> None:
        self.limits: dict[Entity, int] = {"artifact": artifacts, "association": associations}
        self.spent: dict[Entity, int] = {"artifact": 0, "association": 0}

    def take(self, entity: Entity) -> bool:
        if self.spent[entity] >= self.limits[entity]:
            return False
        self.spent[entity] += 1
        return True

    def give_back(self, entity: Entity) -> None:
        self.spent[entity] = max(0, self.spent[entity] - 1)


def _arn(uri: str) -> str:
    return f"artifact:{uri}"


def _uri(arn: str) -> str:
    return arn.removeprefix("artifact:")
