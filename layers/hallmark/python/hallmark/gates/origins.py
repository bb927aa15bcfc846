"""What a gate knows of where a model came from, and of what watches it."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ObjectTags(_Frozen):
    """Tags (``key=value``) of the objects of a snapshot."""

    on_all: frozenset[str]
    on_any: frozenset[str]


class Snapshot(_Frozen):
    """A dataset upstream of the model."""

    name: str
    digest: str = ""
    """Content digest, in hex; empty where only its address is known."""
    is_snapshot: bool
    """False where only its address is known, and not what was in it."""
    trained_on: bool
    tags: ObjectTags | None = None
    """None where nobody could read all of them."""


class LineageEvidence(_Frozen):
    """Where the model came from, as far as lineage tells."""

    node: str
    complete: bool = True
    """Whether all ancestors were looked at."""
    snapshots: tuple[Snapshot, ...] = ()
    images_with_digest: tuple[str, ...] = ()
    images_without: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    has_uncommitted: bool = False
    """Something was trained from code with changes that were not committed."""


class MonitorState(_Frozen):
    """A monitor that watches the model or one of its endpoints."""

    monitor: str
    subject: str
    is_open: bool
    report: str = ""
    since: datetime | None = None
