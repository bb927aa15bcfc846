"""How much lineage an account may keep, and how far a question may reach."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PROPERTIES = 30  # API reference, UpdateArtifact, UpdateAction, UpdateContext: Properties
MAX_DEPTH = 10  # API reference, QueryLineage: MaxDepth; "currently limited to 10", Querying Lineage Entities
MAX_VERTICES = 50  # API reference, QueryLineage: MaxResults
DEFAULT_PAGE = 10  # API reference, ListArtifacts and its siblings: "The default value is 10"


@dataclass(frozen=True)
class LineageLimits:
    """Entities that users may make in one account and Region; those that SageMaker makes by itself do not count.

    The numbers are those of "Manually Create Tracking Entities", SageMaker developer guide.
    """

    actions: int = 3000
    artifacts: int = 6000
    associations: int = 6000
    contexts: int = 500

    def of(self, noun: str) -> int:
        """Return the limit of what ``noun`` names, e.g. ``Artifact`` or ``Association``."""
        return {
            "Action": self.actions,
            "Artifact": self.artifacts,
            "Association": self.associations,
            "Context": self.contexts,
        }[noun]


@dataclass(frozen=True)
class LineageSettings:
    """Settings of the lineage of the stand-in.

    Attributes:
        limits: What users may make.
        delay_seconds: Time from the change of a resource to the entities that SageMaker makes for it. AWS says
            nothing of it but that they come later; the SDK for Python looks for them for two minutes.
    """

    limits: LineageLimits = LineageLimits()
    delay_seconds: float = 0.2
