"""One real MLflow server for all tests here, with a past: runs, a registry, webhooks, and passes between deletions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hallmark.aws.tool_api import HttpToolApi
from hallmark.events.reports import LineageReported
from hallmark.lineage.connectors.mlflow.api import MlflowApi
from hallmark.lineage.connectors.mlflow.syncing import MlflowPass, MlflowSync
from hallmark.lineage.connectors.mlflow.translation import Server
from tests.fakes.memory_connectors import Collected, MemoryOfTools
from tests.fakes.mlflow_server import Delivery, WebhookEar, mlflow_server

SECRET = "the webhook's own secret"
MODEL_ARN = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/wine/3"
EVENTS: tuple[Any, ...] = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_alias.created",
    "model_version_alias.deleted",
)


@dataclass
class Lived:
    """What happened on the server, and what was told of it."""

    url: str
    run_id: str = ""
    child_id: str = ""
    binned_id: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    passes: list[list[LineageReported]] = field(default_factory=list)
    memory: MemoryOfTools = field(default_factory=MemoryOfTools)

    def sync(self) -> MlflowSync:
        """Return a connector that remembers what the passes found."""
        api = MlflowApi(HttpToolApi(self.url, requests_per_second=1_000))
        server = Server("prod", artifacts="s3://models/mlflow")
        return MlflowSync(server, api, self.memory, Collected(), lambda: datetime.now(UTC))

    def look(self) -> list[LineageReported]:
        """Make a full pass; keep and return what it told."""
        sync = self.sync()
        assert sync.go_on(MlflowPass(server="prod", full=True), lambda: True).following is None
        reporter: Any = sync.reporter
        self.passes.append(reporter.reports)
        return self.passes[-1]


def live_through(lived: Lived, ear: WebhookEar) -> None:
    """Runs with data and code; a model with versions, tags and an alias that moves; deletions, a name used again."""
    # It takes more than a second, in each process that collects tests.
    import mlflow  # noqa: PLC0415
    import pandas  # noqa: PLC0415
    from mlflow.data.pandas_dataset import from_pandas  # noqa: PLC0415
    from mlflow.entities.webhook import WebhookEvent  # noqa: PLC0415

    events: list[Any] = [WebhookEvent.from_str(name) for name in EVENTS]
    mlflow.set_tracking_uri(lived.url)
    client = mlflow.MlflowClient(lived.url)
    client.create_webhook("hallmark", ear.url, events, secret=SECRET)
    experiment = client.create_experiment("wine")
    frame = pandas.DataFrame({"alcohol": [12.5, 13.1], "cultivar": [0, 1]})
    tags = {
        "mlflow.source.git.commit": "0123abc",
        "mlflow.source.git.repoURL": "https://user:password@github.example/wine.git",
        "mlflow.docker.image.uri": "111122223333.dkr.ecr.eu-west-1.amazonaws.com/train:1",
        "mlflow.user": "ada",
        "training-job": "arn:aws:sagemaker:eu-west-1:111122223333:training-job/fit",
    }
    with mlflow.start_run(experiment_id=experiment, run_name="fit", tags=tags) as run:
        mlflow.log_params({"depth": 3, "api_token": "hunter2hunter2"})
        mlflow.log_metric("accuracy", 0.93)
        mlflow.log_metric("broken", float("nan"))
        data = from_pandas(frame, source="s3://data/wine/train.csv", name="wine")
        mlflow.log_input(data, context="training")
        with mlflow.start_run(experiment_id=experiment, run_name="search", nested=True) as child:
            pass
    lived.run_id, lived.child_id = run.info.run_id, child.info.run_id
    binned = client.create_run(experiment)
    client.set_terminated(binned.info.run_id, "FAILED")
    lived.binned_id = binned.info.run_id
    client.create_registered_model("wine", tags={"team": "cellar"}, description="Cultivars")
    client.create_model_version("wine", "s3://models/wine/1/model.tar.gz", run.info.run_id)
    client.create_model_version("wine", f"runs:/{run.info.run_id}/model", run.info.run_id)
    client.set_registered_model_alias("wine", "champion", "1")
    ear.wait_for(4)  # MLflow dates a webhook when it sends it, on a thread of its own
    lived.look()
    client.set_registered_model_alias("wine", "champion", "2")
    client.set_model_version_tag("wine", "2", "model-package", MODEL_ARN)
    client.transition_model_version_stage("wine", "1", "Archived")
    client.delete_run(lived.binned_id)
    ear.wait_for(6)
    lived.look()
    client.delete_registered_model_alias("wine", "champion")
    client.delete_model_version("wine", "1")
    ear.wait_for(7)
    lived.look()
    client.delete_registered_model("wine")
    time.sleep(1.1)  # births are told in whole seconds
    client.create_registered_model("wine")
    client.create_model_version("wine", "s3://models/wine/new/model.tar.gz")
    lived.look()
    lived.deliveries = ear.wait_for(9)


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder: Path = tmp_path_factory.mktemp("mlflow")
    ear = WebhookEar()
    try:
        with mlflow_server(folder) as url:
            found = Lived(url)
            live_through(found, ear)
            yield found
    finally:
        ear.close()
