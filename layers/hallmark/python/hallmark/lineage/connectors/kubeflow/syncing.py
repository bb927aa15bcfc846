"""A pass over an installation of Kubeflow Pipelines: tells runs that are new or changed, and those that are gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.errors import NotFoundError
from hallmark.events.records import LineageSection
from hallmark.lineage.connectors.kubeflow.translation import (
    TOOL,
    Artifact,
    ArtifactTask,
    Installation,
    Material,
    PipelineRun,
    read_artifact,
    read_run,
    read_use,
    sections_of,
)
from hallmark.lineage.connectors.ports import Known, Memory, Reporter, ToolApi
from hallmark.lineage.model import canonical_digest

_BASE = "/apis/v2beta1"
_PAGE = 100
_TRANSLATION = 1
"""Raise it when sections change, and everything is told anew."""


class KubeflowPass(BaseModel):
    """How far a pass has come: the message that continues it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    server: str
    started_at: datetime | None = None
    stage: Literal["runs", "missing"] = "runs"
    namespace: int = 0
    page: str = ""


class KubeflowProgress(NamedTuple):
    """How many sections were told, and how far the pass has come; None when it has ended."""

    told: int
    following: KubeflowPass | None


@dataclass
class KubeflowSync:
    """Passes over one installation.

    Args:
        installation: Which.
        api: Its API.
        memory: What earlier passes found.
        reporter: Where sections go.
        clock: The time.
        namespaces: In a multi-user installation; none for all that the API tells without one.
    """

    installation: Installation
    api: ToolApi
    memory: Memory
    reporter: Reporter
    clock: Callable[[], datetime]
    namespaces: tuple[str, ...] = ()
    _told: int = field(default=0, init=False)
    _has_artifacts: bool = field(default=True, init=False)

    def go_on(self, begun: KubeflowPass, has_time: Callable[[], bool]) -> KubeflowProgress:
        """Go on with a pass while there is time.

        Raises:
            UnavailableError: The API, or what stands behind the ports, does not answer now: the same message later.
            InvalidInputError: The API refuses, or it is none of Kubeflow Pipelines.
        """
        self._told = 0
        at: KubeflowPass | None = begun
        if begun.started_at is None:
            at = begun.model_copy(update={"started_at": self.clock()})
        while at is not None and has_time():
            if at.stage == "missing":
                self._missing(at)
                at = None
            else:
                at = self._runs(at)
        return KubeflowProgress(self._told, at)

    def _runs(self, at: KubeflowPass) -> KubeflowPass:
        spaces = self.namespaces or ("",)
        if at.namespace >= len(spaces):
            return at.model_copy(update={"stage": "missing", "page": ""})
        query: dict[str, str | int] = {"page_size": _PAGE, "sort_by": "created_at asc"}
        if spaces[at.namespace]:
            query["namespace"] = spaces[at.namespace]
        if at.page:
            query["page_token"] = at.page
        answer = self.api.get(f"{_BASE}/runs", query)
        documents = {str(document.get("run_id")): document for document in answer.get("runs") or []}
        known = self.memory.recall([_name(run_id) for run_id in documents])
        kept = []
        for run_id, document in documents.items():
            digest = canonical_digest([_TRANSLATION, document])
            before = known.get(_name(run_id))
            if before is None or before.told != digest:
                self._report(sections_of(self._material(run_id, document), self.installation))
            kept.append(Known(_name(run_id), digest, _began(at)))
        self.memory.remember(kept)
        following = str(answer.get("next_page_token") or "")
        return at.model_copy(update={"page": following, "namespace": at.namespace + (not following)})

    def _material(self, run_id: str, document: Mapping[str, Any]) -> Material:
        run: PipelineRun = read_run(document)
        if run.run_details is None:
            run = read_run(self.api.get(f"{_BASE}/runs/{run_id}"))
        uses = self._uses(run_id)
        return Material(run=run, uses=uses, artifacts=self._artifacts({use.artifact_id for use in uses} | _named(run)))

    def _uses(self, run_id: str) -> list[ArtifactTask]:
        """Return which tasks used which artifacts; none of an installation that is older than that API."""
        found: list[ArtifactTask] = []
        page = ""
        while self._has_artifacts:
            query: dict[str, str | int] = {"run_ids": run_id, "page_size": _PAGE}
            if page:
                query["page_token"] = page
            try:
                answer = self.api.get(f"{_BASE}/artifact_tasks", query)
            except NotFoundError:
                # Before this API, artifacts were kept by ML Metadata alone: a run tells their ids only.
                self._has_artifacts = False
                break
            found += [read_use(use) for use in answer.get("artifact_tasks") or []]
            if not (page := str(answer.get("next_page_token") or "")):
                break
        return found

    def _artifacts(self, wanted: set[str]) -> dict[str, Artifact]:
        found = {}
        for artifact_id in sorted(wanted) if self._has_artifacts else ():
            try:
                found[artifact_id] = read_artifact(self.api.get(f"{_BASE}/artifacts/{artifact_id}"))
            except NotFoundError:
                continue  # it was deleted: its id is all that is left
        return found

    def _missing(self, at: KubeflowPass) -> None:
        told: list[LineageSection] = []
        gone = []
        for known in self.memory.unseen("runs/", _began(at)):
            run_id, seen_at = known.name.partition("/")[2], self.clock()
            try:
                self.api.get(f"{_BASE}/runs/{run_id}")
            except NotFoundError:
                told.append(LineageSection(node=self.installation.run(run_id), at=seen_at, status="Deleted"))
                gone.append(known.name)
        self._report(told)
        self.memory.forget(gone)

    def _report(self, sections: list[LineageSection]) -> None:
        if sections:
            self.reporter.report(TOOL, sections)
            self._told += len(sections)


def _named(run: PipelineRun) -> set[str]:
    tasks = run.run_details.task_details if run.run_details else ()
    lists = [listed for task in tasks for names in (task.inputs, task.outputs) for listed in names.values()]
    return {artifact for listed in lists for artifact in listed.artifact_ids}


def _name(run_id: str) -> str:
    return f"runs/{run_id}"


def _began(at: KubeflowPass) -> datetime:
    if at.started_at is None:
        raise ValueError("a pass that goes on has begun")
    return at.started_at
