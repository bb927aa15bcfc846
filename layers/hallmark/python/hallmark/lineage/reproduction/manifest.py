"""The manifest of a run: everything that is needed to run it again, pinned; and what is not known, as holes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hallmark.lineage.model import NodeKind

Row = tuple[str, str, str, int]
"""Of an object: relative key, version id ("" in a bucket without versions), identity, size."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class RunIdentity(_Frozen):
    """The run that the manifest is of."""

    key: str
    """Of the node: ``ARN@born``."""
    arn: str
    kind: Literal[NodeKind.TRAINING_JOB, NodeKind.PROCESSING_JOB, NodeKind.TRANSFORM_JOB, NodeKind.TUNING_JOB]
    name: str
    status: str | None = None
    started_at: str | None = None
    ended_at: str | None = None


class PinnedData(_Frozen):
    """What the run read under one name, by versions and digest, and where a copy of exactly that is put."""

    role: str
    uri: str
    digest: str | None = None
    """Of the content: see docs/graph.md. None: lineage does not know what was there."""
    objects: int | None = None
    bytes: int | None = None
    complete: bool = False
    """Whether ``digest`` counts all objects, and not only the first."""
    versions: tuple[Row, ...] = ()
    """``[relative key, version id, identity, size]`` of each object; empty where ``versions_uri`` has them."""
    versions_uri: str | None = None
    """The same rows as a gzip-compressed JSON object, for large listings."""
    staged_uri: str | None = None
    """Where the request reads: a copy of these versions. None: the request reads ``uri`` as it is then."""


class PinnedImage(_Frozen):
    """The container image."""

    uri: str
    """As the run named it."""
    digest: str | None = None
    pinned: str | None = None
    """By digest: what the request names. None: the digest is not known, and the request names the tag."""


class PinnedCode(_Frozen):
    """The code: a commit, or the archive that script mode ran (then it is among the data, too)."""

    repository: str | None = None
    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None
    """Whether the working tree had changes that are not in the commit. None: nothing tells."""
    archive: str | None = None
    entry_point: str | None = None


class Seed(_Frozen):
    """What random numbers were drawn from: ``name`` is the hyperparameter, variable or argument."""

    name: str
    value: str


class ExpectedOutput(_Frozen):
    """What the run wrote under one name."""

    role: str
    uri: str
    digest: str | None = None
    objects: int | None = None


class Expected(_Frozen):
    """What the run came to: what a second run is compared with."""

    outputs: tuple[ExpectedOutput, ...] = ()
    metrics: dict[str, float] = {}


class Change(_Frozen):
    """Where the request differs from the one that made the run."""

    field: str
    before: Any = None
    after: Any = None
    why: str


class KnownHole(_Frozen):
    """Something that lineage does not know, why, and what to do. ``blocking``: without it there is no request."""

    what: str
    why: str
    remedy: str
    blocking: bool = False


class Manifest(_Frozen):
    """What runs a run again (docs/reproduce.md). The same lineage makes the same manifest."""

    format: Literal["hallmark.reproduction/1"] = "hallmark.reproduction/1"
    run: RunIdentity
    operation: str
    """``CreateTrainingJob``, ``CreateProcessingJob``, ``CreateTransformJob`` or ``CreateHyperParameterTuningJob``."""
    request: dict[str, Any] | None
    """The exact request, as SageMaker's API takes it; None where a hole is blocking."""
    data: tuple[PinnedData, ...] = ()
    image: PinnedImage | None = None
    code: PinnedCode = PinnedCode()
    seed: Seed | None = None
    hyperparameters: dict[str, Any] = {}
    model: str | None = None
    """Of a transform job: the model's key."""
    expected: Expected = Expected()
    changes: tuple[Change, ...] = ()
    holes: tuple[KnownHole, ...] = ()

    @property
    def places(self) -> list[PinnedData]:
        """Return the data that are copied before the run starts."""
        return [pinned for pinned in self.data if pinned.staged_uri is not None]
