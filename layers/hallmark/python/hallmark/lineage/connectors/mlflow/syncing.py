"""A pass over an MLflow server: tells what is new, what changed, and what is listed no more.

Webhooks tell of neither deletions nor ends of runs, and never of the version that an alias pointed to before; so what
counts is what the server lists. A pass goes on from where it stopped; the same pass again tells the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.events.records import LineageNode, LineageSection
from hallmark.lineage.connectors.mlflow.api import Listed, MlflowApi, chunks_of, is_prompt
from hallmark.lineage.connectors.mlflow.entities import Alias, ModelVersion, RegisteredModel, Run, read_entity
from hallmark.lineage.connectors.mlflow.translation import (
    TOOL,
    Server,
    alias_removed_section,
    alias_section,
    deleted_section,
    former_of,
    lifecycle_section,
    model_sections,
    run_sections,
    version_sections,
)
from hallmark.lineage.connectors.ports import Known, Memory, Reporter
from hallmark.lineage.connectors.telling import from_milliseconds
from hallmark.lineage.model import canonical_digest

FULL_EVERY = timedelta(days=1)
"""How often a pass lists all runs: the others list those that began since a day before the last pass, and those that
had not ended then. Models and versions are listed by every pass."""
_OVERLAP = timedelta(days=1)
_EXPERIMENTS_A_SEARCH = 50
_OPEN_RUNS = 2_000
"""Runs that had not ended and are asked for by id the next time; beyond it the next full pass finds them."""
_TRANSLATION = 1
"""Raise it when sections change, and everything is told anew."""
_PASS = "!pass"  # noqa: S105 - a name, beside those of things
_UNENDED = frozenset({"RUNNING", "SCHEDULED"})

Stage = Literal["open", "runs", "models", "versions", "missing"]


class MlflowPass(BaseModel):
    """How far a pass over a server has come: the message that continues it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    server: str
    started_at: datetime | None = None
    full: bool = False
    since: datetime | None = None
    stage: Stage = "open"
    chunk: int = 0
    page: str = ""
    open_runs: tuple[str, ...] = ()
    """Runs that this pass has found not to have ended."""


class Progress(NamedTuple):
    """How many sections were told, and how far the pass has come; None when it has ended."""

    told: int
    following: MlflowPass | None


@dataclass
class MlflowSync:
    """Passes over one server.

    Args:
        server: Which.
        api: Its REST API.
        memory: What earlier passes found.
        reporter: Where sections go.
        clock: The time.
    """

    server: Server
    api: MlflowApi
    memory: Memory
    reporter: Reporter
    clock: Callable[[], datetime]
    _experiments: dict[str, str] | None = field(default=None, init=False)
    _told: int = field(default=0, init=False)

    def go_on(self, begun: MlflowPass, has_time: Callable[[], bool]) -> Progress:
        """Go on with a pass while there is time.

        Raises:
            UnavailableError: The server, or what stands behind the ports, does not answer now: the same message later.
            InvalidInputError: The server refuses, or is no MLflow server.
        """
        self._told = 0
        at: MlflowPass | None = self._begun(begun) if begun.started_at is None else begun
        while at is not None and has_time():
            at = self._step(at)
        return Progress(self._told, at)

    def _begun(self, asked: MlflowPass) -> MlflowPass:
        last = self.memory.recall([_PASS]).get(_PASS)
        now = self.clock()
        full_at = datetime.fromisoformat(last.state["full_at"]) if last else None
        full = asked.full or full_at is None or now - full_at >= FULL_EVERY
        since = None if full or last is None else last.seen_at - _OVERLAP
        return asked.model_copy(update={"started_at": now, "full": full, "since": since})

    def _step(self, at: MlflowPass) -> MlflowPass | None:
        if at.stage == "open":
            return self._open(at)
        if at.stage == "runs":
            return self._runs(at)
        if at.stage == "models":
            listed = self.api.models(at.page)
            self._tell_models(listed.documents, at)
            return self._paged(at, listed, "versions")
        if at.stage == "versions":
            listed = self.api.versions(at.page)
            self._tell_versions(listed.documents, at)
            return self._paged(at, listed, "missing")
        return self._missing(at)

    def _paged(self, at: MlflowPass, listed: Listed, following: Stage) -> MlflowPass:
        stage = at.stage if listed.next_page else following
        return at.model_copy(update={"stage": stage, "page": listed.next_page})

    # --- runs ---

    def _open(self, at: MlflowPass) -> MlflowPass:
        last = self.memory.recall([_PASS]).get(_PASS)
        left = []
        for run_id in last.state.get("open", []) if last and not at.full else []:
            document = self.api.run(run_id)
            if document is not None:
                self._tell_runs([document], at)
                left += _unended([document])
        return at.model_copy(update={"stage": "runs", "open_runs": tuple(left)})

    def _names(self) -> dict[str, str]:
        if self._experiments is None:
            self._experiments = self.api.experiments()
        return self._experiments

    def _runs(self, at: MlflowPass) -> MlflowPass:
        chunks = list(chunks_of(sorted(self._names()), _EXPERIMENTS_A_SEARCH))
        if at.chunk >= len(chunks):
            return at.model_copy(update={"stage": "models", "page": ""})
        listed = self.api.runs(chunks[at.chunk], at.page, at.since)
        self._tell_runs(listed.documents, at)
        unended = dict.fromkeys((*at.open_runs, *_unended(listed.documents)))
        update: dict[str, Any] = {
            "page": listed.next_page,
            "open_runs": tuple(unended)[:_OPEN_RUNS],
        }
        if not listed.next_page:
            update["chunk"] = at.chunk + 1
        return at.model_copy(update=update)

    def _tell_runs(self, documents: Sequence[Mapping[str, Any]], at: MlflowPass) -> None:
        seen_at = self.clock()
        runs = [(read_entity(Run, document), _digest(document)) for document in documents]
        known = self.memory.recall([_run_name(run.info.run_id) for run, _ in runs])
        told = []
        for run, digest in runs:
            before = known.get(_run_name(run.info.run_id))
            if before is not None and before.told == digest:
                continue
            experiment = self._names().get(run.info.experiment_id, "")
            told += run_sections(run, self.server, experiment, self.api.logged_model)
            lifecycle = run.info.lifecycle_stage
            if lifecycle != (before.state.get("lifecycle") if before else "active"):
                told.append(lifecycle_section(self.server.run(run.info.run_id), lifecycle, seen_at))
        self._report(told)
        self.memory.remember(
            Known(_run_name(run.info.run_id), digest, _begun_at(at), {"lifecycle": run.info.lifecycle_stage})
            for run, digest in runs
        )

    # --- the registry ---

    def _tell_models(self, documents: Sequence[Mapping[str, Any]], at: MlflowPass) -> None:
        seen_at = self.clock()
        found = [read_entity(RegisteredModel, document) for document in documents]
        models = [model for model in found if not is_prompt(model)]
        known = self.memory.recall([_model_name(model) for model in models])
        told, kept = [], []
        for model in models:
            before = known.get(_model_name(model))
            aliases = {alias.alias: alias.version for alias in model.aliases}
            digest = _digest(model.model_dump(mode="json"))
            if before is None or before.told != digest:
                told += model_sections(model, self.server, _changed_at(model, before, seen_at))
                told += self._aliases(model, before.state.get("aliases", {}) if before else {}, seen_at)
            kept.append(Known(_model_name(model), digest, _begun_at(at), {**_state(model), "aliases": aliases}))
        self._report(told)
        self.memory.remember(kept)

    def _aliases(self, model: RegisteredModel, before: Mapping[str, str], seen_at: datetime) -> list[LineageSection]:
        now = {alias.alias: alias.version for alias in model.aliases}
        moved = [
            alias_section(model.name, alias, self.server, seen_at, self._former(model.name, before.get(alias.alias)))
            for alias in model.aliases
            if before.get(alias.alias) != alias.version
        ]
        removed = [
            alias_removed_section(model.name, alias, self.server, seen_at, self._former(model.name, version))
            for alias, version in sorted(before.items())
            if alias not in now
        ]
        return [*moved, *removed]

    def _former(self, name: str, version: str | None) -> str | None:
        return former_of(name, version, self.server)

    def _tell_versions(self, documents: Sequence[Mapping[str, Any]], at: MlflowPass) -> None:
        seen_at = self.clock()
        found = [read_entity(ModelVersion, document) for document in documents]
        versions = [version for version in found if not is_prompt(version)]
        known = self.memory.recall([_version_name(version) for version in versions])
        told, kept = [], []
        for version in versions:
            before = known.get(_version_name(version))
            digest = _digest(version.model_dump(mode="json"))
            if before is None or before.told != digest:
                artifact = self.api.artifact_of(version)
                changed = _changed_at(version, before, seen_at)
                told += version_sections(version, self.server, artifact, changed)
            kept.append(Known(_version_name(version), digest, _begun_at(at), _state(version)))
        self._report(told)
        self.memory.remember(kept)

    # --- what is listed no more ---

    def _missing(self, at: MlflowPass) -> MlflowPass | None:
        began = _begun_at(at)
        told: list[LineageSection] = []
        gone: list[str] = []
        for prefix in ("models/", "versions/", *(("runs/",) if at.full else ())):
            for known in self.memory.unseen(prefix, began):
                seen_at = self.clock()
                node = self._gone(known)
                if node is None:
                    continue
                if prefix == "models/":
                    told += self._lost_aliases(known, seen_at)
                told.append(deleted_section(node, seen_at))
                gone.append(known.name)
        self._report(told)
        self.memory.forget(gone)
        last = self.memory.recall([_PASS]).get(_PASS)
        full_at = began.isoformat() if at.full or last is None else last.state["full_at"]
        self.memory.remember([Known(_PASS, "", began, {"full_at": full_at, "open": list(at.open_runs)})])
        return None

    def _gone(self, known: Known) -> LineageNode | None:
        """Return the node of a thing that was not listed, if the server says that it is not there."""
        kind, _, rest = known.name.partition("/")
        if kind == "runs":
            return None if self.api.run(rest) is not None else self.server.run(rest)
        name, created = known.state["name"], int(known.state["created"])
        if kind == "models":
            document = self.api.model(name)
            is_there = document is not None and int(document["creation_timestamp"]) == created
            return None if is_there else self.server.model(name, created)
        document = self.api.version(name, known.state["version"])
        is_there = document is not None and int(document["creation_timestamp"]) == created
        return None if is_there else self.server.version(name, known.state["version"], created)

    def _lost_aliases(self, known: Known, seen_at: datetime) -> list[LineageSection]:
        name = known.state["name"]
        return [
            alias_removed_section(name, alias, self.server, seen_at, self._former(name, version))
            for alias, version in sorted(known.state.get("aliases", {}).items())
            if not self.api.alias_exists(name, alias)
        ]

    def _report(self, sections: Sequence[LineageSection]) -> None:
        if sections:
            self.reporter.report(TOOL, sections)
            self._told += len(sections)

    # --- webhooks ---

    def follow(self, webhook: MlflowWebhook) -> int:
        """Tell what a webhook is about, as the server says it now; return how many sections that made.

        An alias is told as the webhook says it, at its time: it may have moved on since, and each move counts.

        Raises:
            UnavailableError: The server does not answer now.
        """
        sections = self._sections_of(webhook)
        self._report(sections)
        return len(sections)

    def _sections_of(self, webhook: MlflowWebhook) -> list[LineageSection]:
        data, at = webhook.data, webhook.timestamp
        name, seen_at = str(data.get("name", "")), self.clock()
        if webhook.entity == "model_version_alias":
            alias = str(data.get("alias", ""))
            if webhook.action == "created":
                pointed = Alias(alias=alias, version=str(data.get("version", "")))
                return [alias_section(name, pointed, self.server, at)]
            return [alias_removed_section(name, alias, self.server, at)]
        if webhook.entity == "registered_model":
            document = self.api.model(name)
            if document is None or _is_later(document, at):
                return self._passed_by(self.server.model(name, _milliseconds(at)), name, at, seen_at)
            model = read_entity(RegisteredModel, document)
            return model_sections(model, self.server, from_milliseconds(model.last_updated_timestamp))
        if webhook.entity in {"model_version", "model_version_tag"}:
            return self._version_of(webhook, name, str(data.get("version", "")), seen_at)
        return []

    def _version_of(self, webhook: MlflowWebhook, name: str, number: str, seen_at: datetime) -> list[LineageSection]:
        document = self.api.version(name, number)
        if document is None or _is_later(document, webhook.timestamp):
            if webhook.entity == "model_version_tag":
                return []  # of a version that is gone: the pass tells of its end
            node = self.server.version(name, number, _milliseconds(webhook.timestamp))
            return self._passed_by(node, f"{name}:{number}", webhook.timestamp, seen_at)
        version = read_entity(ModelVersion, document)
        changed = seen_at if webhook.entity == "model_version_tag" else _updated(version)
        return version_sections(version, self.server, self.api.artifact_of(version), changed)

    def _passed_by(self, node: LineageNode, name: str, at: datetime, seen_at: datetime) -> list[LineageSection]:
        """Return what there is to say of a thing that was made, and deleted before anybody looked."""
        made = LineageSection(node=node, at=at, attributes={"name": name, "event_only": True})
        return [made, deleted_section(node, max(at, seen_at))]


class MlflowWebhook(BaseModel):
    """What a webhook of MLflow's registry says (``mlflow/webhooks/types.py``); who did it, it never says."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    entity: str
    action: str
    timestamp: datetime
    data: dict[str, Any]


def _digest(document: Mapping[str, Any]) -> str:
    return canonical_digest([_TRANSLATION, document])


def _unended(documents: Sequence[Mapping[str, Any]]) -> list[str]:
    found = [read_entity(Run, document).info for document in documents]
    return [info.run_id for info in found if info.status in _UNENDED and info.lifecycle_stage == "active"]


def _begun_at(at: MlflowPass) -> datetime:
    if at.started_at is None:
        raise ValueError("a pass that goes on has begun")
    return at.started_at


def _updated(thing: RegisteredModel | ModelVersion) -> datetime:
    return from_milliseconds(max(thing.last_updated_timestamp, thing.creation_timestamp))


def _changed_at(thing: RegisteredModel | ModelVersion, before: Known | None, seen_at: datetime) -> datetime:
    """Return when a thing came to be as it is: MLflow dates some changes (stage, description), not all (tags)."""
    undated = before is not None and int(before.state["updated"]) >= thing.last_updated_timestamp
    return seen_at if undated else _updated(thing)


def _is_later(document: Mapping[str, Any], at: datetime) -> bool:
    """Tell whether what has the name now was made after a webhook spoke of one that had it then."""
    return from_milliseconds(int(document["creation_timestamp"])) > at


def _state(thing: RegisteredModel | ModelVersion) -> dict[str, Any]:
    state = {"name": thing.name, "created": thing.creation_timestamp, "updated": thing.last_updated_timestamp}
    return state | ({"version": thing.version} if isinstance(thing, ModelVersion) else {})


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _run_name(run_id: str) -> str:
    return f"runs/{run_id}"


def _model_name(model: RegisteredModel) -> str:
    return f"models/{model.name}@{model.creation_timestamp}"


def _version_name(version: ModelVersion) -> str:
    return f"versions/{version.name}/{version.version}@{version.creation_timestamp}"
