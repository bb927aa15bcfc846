"""MLflow's REST API 2.0, as far as lineage asks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.errors import NotFoundError
from hallmark.lineage.connectors.mlflow.entities import (
    Experiment,
    LoggedModel,
    ModelVersion,
    RegisteredModel,
    Run,
    read_entity,
)
from hallmark.lineage.connectors.ports import ToolApi

_BASE = "/api/2.0/mlflow"
_RUNS = 100
_MODELS = 100
_VERSIONS = 200
_EXPERIMENTS = 1000
_LOGGED = "models:/m-"


class Listed(NamedTuple):
    """One page: what stood on it, as MLflow wrote it, and the token of the next one ("" for the last)."""

    documents: Sequence[Mapping[str, Any]]
    next_page: str


class MlflowApi:
    """Asks one server."""

    def __init__(self, api: ToolApi) -> None:
        self._api = api
        self._logged: dict[str, LoggedModel | None] = {}

    def experiments(self) -> dict[str, str]:
        """Return the names of all experiments by their ids, deleted ones too: their runs are kept."""
        found: dict[str, str] = {}
        page = ""
        while True:
            query = _page_of(_EXPERIMENTS, page) | {"view_type": "ALL"}
            listed = _listed(self._api.get(f"{_BASE}/experiments/search", query), "experiments")
            for document in listed.documents:
                experiment = read_entity(Experiment, document)
                found[experiment.experiment_id] = experiment.name
            if not (page := listed.next_page):
                return found

    def runs(self, experiments: Sequence[str], page: str, started_after: datetime | None) -> Listed:
        """Return a page of the runs of some experiments, deleted ones too."""
        body: dict[str, Any] = {
            "experiment_ids": list(experiments),
            "run_view_type": "ALL",
            "max_results": _RUNS,
            "order_by": ["attributes.start_time ASC"],
        }
        if started_after is not None:
            body["filter"] = f"attributes.start_time >= {int(started_after.timestamp() * 1000)}"
        if page:
            body["page_token"] = page
        return _listed(self._api.post(f"{_BASE}/runs/search", body), "runs")

    def run(self, run_id: str) -> Mapping[str, Any] | None:
        """Return a run; None for one that is gone for good."""
        return self._one("runs/get", {"run_id": run_id}, "run")

    def models(self, page: str) -> Listed:
        """Return a page of the registered models."""
        answer = self._api.get(f"{_BASE}/registered-models/search", _page_of(_MODELS, page))
        return _listed(answer, "registered_models")

    def model(self, name: str) -> Mapping[str, Any] | None:
        """Return a registered model; None for one that does not exist."""
        return self._one("registered-models/get", {"name": name}, "registered_model")

    def alias_exists(self, name: str, alias: str) -> bool:
        """Tell whether an alias points to a version."""
        return self._one("registered-models/alias", {"name": name, "alias": alias}, "model_version") is not None

    def versions(self, page: str) -> Listed:
        """Return a page of the versions of all registered models."""
        answer = self._api.get(f"{_BASE}/model-versions/search", _page_of(_VERSIONS, page))
        return _listed(answer, "model_versions")

    def version(self, name: str, version: str) -> Mapping[str, Any] | None:
        """Return a version; None for one that does not exist."""
        return self._one("model-versions/get", {"name": name, "version": version}, "model_version")

    def logged_model(self, model_id: str) -> LoggedModel | None:
        """Return where a logged model lies; None for one that is gone."""
        if model_id not in self._logged:
            found = self._one(f"logged-models/{model_id}", {}, "model")
            self._logged[model_id] = None if found is None else read_entity(LoggedModel, found)
        return self._logged[model_id]

    def artifact_of(self, version: ModelVersion) -> str | None:
        """Return where a version's model lies: its source is an address, a run's artifact, or a logged model."""
        if version.source.startswith(_LOGGED):
            logged = self.logged_model(version.source.removeprefix("models:/"))
            return (logged.info.artifact_uri or None) if logged else None
        if version.source.startswith("runs:/"):
            run_id, _, path = version.source.removeprefix("runs:/").partition("/")
            return self._artifact_of_run(run_id, path)
        return version.source or None

    def _artifact_of_run(self, run_id: str, path: str) -> str | None:
        document = self.run(run_id)
        if document is None:
            return None
        run = read_entity(Run, document)
        # Since MLflow 3 a model that a run logs under a name lies apart from the run's own artifacts.
        for use in run.outputs.model_outputs:
            logged = self.logged_model(use.model_id)
            if logged is not None and logged.info.name == path and logged.info.artifact_uri:
                return logged.info.artifact_uri
        return f"{run.info.artifact_uri}/{path}" if run.info.artifact_uri else None

    def _one(self, path: str, query: Mapping[str, str | int], field: str) -> Mapping[str, Any] | None:
        try:
            answer = self._api.get(f"{_BASE}/{path}", query)
        except NotFoundError:
            return None
        found = answer.get(field)
        return found if isinstance(found, Mapping) else None


def _page_of(size: int, page: str) -> dict[str, str | int]:
    return {"max_results": size, "page_token": page} if page else {"max_results": size}


def _listed(answer: Mapping[str, Any], field: str) -> Listed:
    return Listed(answer.get(field) or [], str(answer.get("next_page_token") or ""))


def chunks_of(experiments: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Yield ids of experiments, a search's worth at a time."""
    for start in range(0, len(experiments), size):
        yield experiments[start : start + size]


def is_prompt(thing: RegisteredModel | ModelVersion) -> bool:
    """Tell whether it is a prompt, which MLflow keeps in its registry of models."""
    return any(tag.key == "mlflow.prompt.is_prompt" for tag in thing.tags)
