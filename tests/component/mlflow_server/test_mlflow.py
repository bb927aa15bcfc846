"""A real MLflow server: what passes and webhooks tell of it becomes one graph, whatever the order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from hallmark.aws.tool_api import HttpToolApi
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.events.reports import LineageReported
from hallmark.lineage.answering import Answerer
from hallmark.lineage.connectors.mlflow.api import MlflowApi
from hallmark.lineage.connectors.mlflow.syncing import MlflowPass, MlflowSync
from hallmark.lineage.connectors.mlflow.translation import Server
from hallmark.lineage.connectors.mlflow.webhooks import WINDOW, delivery_of, read_webhook
from hallmark.lineage.folding import FoldedNode, changes, fold
from hallmark.lineage.questions import TraceAnswer, TraceQuestion
from hallmark.lineage.recording import record_event
from hallmark.lineage.rows import GraphRows
from tests.component.mlflow_server.conftest import MODEL_ARN, SECRET, Lived
from tests.fakes.memory_connectors import Collected, MemoryOfTools, record_reports
from tests.fakes.memory_store import KnownContents, KnownResources, MemoryStore, stored, surroundings
from tests.fakes.mlflow_server import free_port
from tests.fakes.sagemaker_events import at as minute
from tests.fakes.sagemaker_events import described_training, training

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

MODEL = "mlflow:prod/models/wine"
ALIAS = f"{MODEL}@champion"


def collected(sync: MlflowSync) -> list[LineageReported]:
    reporter = sync.reporter
    assert isinstance(reporter, Collected)
    return reporter.reports


def followed(lived: Lived) -> list[LineageReported]:
    """Return what the webhooks lead to."""
    sync = lived.sync()
    for delivery in lived.deliveries:
        sync.follow(read_webhook(delivery.body))
    return collected(sync)


def graph(reports: Sequence[LineageReported], contents: KnownContents | None = None) -> MemoryStore:
    store = MemoryStore()
    record_reports(reports, surroundings(store, contents=contents))
    return store


def everything(lived: Lived) -> list[LineageReported]:
    return [report for told in lived.passes for report in told]


def node(store: MemoryStore, key: str) -> FoldedNode:
    """Return a node by its key, or the one incarnation whose key begins so."""
    states = store.states(key.partition("@2")[0])
    keys = sorted({state.state.node.key for state in states})
    wanted = [found for found in keys if found.startswith(key)]
    assert wanted, keys
    return fold([state for state in states if state.state.node.key == wanted[0]])


def upstream(store: MemoryStore, name: str, as_of: datetime | None = None) -> set[str]:
    rows = GraphRows()
    rows.add(store.since(None))
    question = TraceQuestion.model_validate({"node": name, "direction": "up", "as_of": as_of})
    answer = Answerer(rows, store, lambda: datetime.now(UTC)).answer(question)
    assert isinstance(answer, TraceAnswer)
    return {found.key for found in answer.nodes}


def train(store: MemoryStore, name: str, data: str, contents: KnownContents) -> None:
    channels = {"train": data}
    known = KnownResources({name: described_training(name, channels)})
    record_event(training(name, "Completed", channels), surroundings(store, contents=contents, describer=known))


def test_a_run_is_told_with_its_data_code_image_parent_user_and_resource(lived: Lived) -> None:
    store = graph(everything(lived))

    run = node(store, f"mlflow:prod/runs/{lived.run_id}")
    edges = {(told.edge.source.id, told.edge.role) for told in store.edges_to(f"mlflow:prod/runs/{lived.run_id}")}
    assert run.status == "Completed"
    assert run.attributes["metrics"] == {"accuracy": 0.93}
    assert run.attributes["experiment"]["name"] == "wine"
    assert run.attributes["datasets"][0]["name"] == "wine"
    assert {
        ("git:https://github.example/wine.git@0123abc", "code"),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com/train:1", "image"),
        ("mlflow:prod/users/ada", "created-by"),
        ("arn:aws:sagemaker:eu-west-1:111122223333:training-job/fit", "tagged"),
    } <= edges
    assert any(source.startswith("s3://data/wine/train.csv#mlflow:") for source, _ in edges)
    child = {(told.edge.source.id, told.edge.role) for told in store.edges_to(f"mlflow:prod/runs/{lived.child_id}")}
    assert (f"mlflow:prod/runs/{lived.run_id}", "parent") in child


def test_no_credential_is_told(lived: Lived) -> None:
    told = "".join(report.model_dump_json() for report in everything(lived))

    assert "hunter2" not in told
    assert "password" not in told


def test_an_alias_tells_which_version_it_pointed_to_and_when(lived: Lived) -> None:
    store = graph([*everything(lived), *followed(lived)])

    moves = [(change.before, change.after) for change in changes(store.states(ALIAS)) if change.field == "points_to"]
    assert moves == [
        (None, f"{MODEL}/versions/1"),
        (f"{MODEL}/versions/1", f"{MODEL}/versions/2"),
        (f"{MODEL}/versions/2", "nothing"),
    ]
    first, second, removed = (
        datetime.fromisoformat(delivery.document["timestamp"])
        for delivery in lived.deliveries
        if delivery.document["entity"] == "model_version_alias"
    )
    just = timedelta(milliseconds=1)
    seen = [upstream(store, ALIAS, as_of=when + just) for when in (first, second, removed)]
    versions = [sorted(key.partition("@")[0][-1] for key in keys if "/versions/" in key) for keys in seen]
    assert versions == [["1"], ["2"], []]


def test_the_former_version_of_an_alias_is_told_by_the_pass(lived: Lived) -> None:
    told = [report.lineage.attributes.get("former") for report in everything(lived) if report.lineage.node.id == ALIAS]

    assert told == [None, f"{MODEL}/versions/1", f"{MODEL}/versions/2"]


def test_what_is_deleted_is_recorded_as_deleted_and_keeps_what_was_known(lived: Lived) -> None:
    store = graph(everything(lived))

    states = store.states(f"{MODEL}/versions/1")
    old, new = sorted({state.state.node.key for state in states})
    gone = fold([state for state in states if state.state.node.key == old])
    assert (gone.status, gone.attributes["source"]) == ("Deleted", "s3://models/wine/1/model.tar.gz")
    assert gone.attributes["stage"] == "Archived"
    assert fold([state for state in states if state.state.node.key == new]).status == "READY"


def test_a_run_in_the_bin_says_so_and_is_not_gone(lived: Lived) -> None:
    binned = node(graph(everything(lived)), f"mlflow:prod/runs/{lived.binned_id}")

    assert (binned.status, binned.attributes["lifecycle"]) == ("Failed", "deleted")


def test_a_version_joins_its_run_its_artifact_and_the_package_that_it_is(lived: Lived) -> None:
    store = graph(everything(lived))

    into = {(told.edge.source.id, told.edge.role) for told in store.edges_to(f"{MODEL}/versions/2")}
    assert (f"mlflow:prod/runs/{lived.run_id}", "generated-by") in into
    assert (MODEL_ARN, "tagged") in into
    # The server hands this artifact out itself; policy says where it lies.
    assert (f"s3://models/mlflow/1/{lived.run_id}/artifacts/model", "model-data") in into


def test_a_second_pass_tells_nothing(lived: Lived) -> None:
    assert lived.look() == []
    lived.passes.pop()


def steps_of(count: int) -> Callable[[], bool]:
    left = iter([True] * count)
    return lambda: next(left, False)


def test_a_pass_that_is_interrupted_after_each_step_tells_the_same(lived: Lived) -> None:
    def look(steps: int) -> list[LineageReported]:
        api = MlflowApi(HttpToolApi(lived.url, requests_per_second=1_000))
        sync = MlflowSync(Server("prod"), api, MemoryOfTools(), Collected(), lambda: datetime(2026, 12, 1, tzinfo=UTC))
        at: MlflowPass | None = MlflowPass(server="prod", full=True)
        while at is not None:
            at = sync.go_on(MlflowPass.model_validate_json(at.model_dump_json()), steps_of(steps)).following
        return collected(sync)

    assert look(1) == look(1_000) != []


def test_webhooks_are_signed_as_the_server_signs_them(lived: Lived) -> None:
    for delivery in lived.deliveries:
        sent = datetime.fromtimestamp(int(delivery.headers["x-mlflow-timestamp"]), UTC)
        headers, body = delivery.headers, delivery.body
        assert delivery_of(headers, body, SECRET, sent) == headers["x-mlflow-delivery-id"]
        assert delivery_of(headers, body, "another secret", sent) is None
        assert delivery_of(headers, body + b" ", SECRET, sent) is None
        assert delivery_of({**headers, "x-mlflow-delivery-id": "another"}, body, SECRET, sent) is None
        assert delivery_of(headers, body, SECRET, sent + WINDOW + timedelta(seconds=1)) is None
        assert delivery_of(headers, body, SECRET, sent - WINDOW - timedelta(seconds=1)) is None
        assert delivery_of({}, body, SECRET, sent) is None


@pytest.mark.parametrize("seed", range(5))
def test_webhooks_and_passes_make_the_same_graph_in_any_order_however_often(lived: Lived, seed: int) -> None:
    told = [*everything(lived), *followed(lived)]
    mixed = [*told, *told[::3]]
    random.Random(seed).shuffle(mixed)  # noqa: S311

    assert graph(mixed).snapshot() == graph(told).snapshot()


def test_a_webhook_of_what_was_deleted_meanwhile_leaves_it_deleted(lived: Lived) -> None:
    store = graph(followed(lived))

    first, second = sorted({state.state.node.key for state in store.states(MODEL)})
    assert fold([s for s in store.states(MODEL) if s.state.node.key == first]).status == "Deleted"
    assert fold([s for s in store.states(MODEL) if s.state.node.key == second]).status is None


def test_data_joins_what_sagemaker_read_by_content(lived: Lived) -> None:
    rows = [stored("", "the same rows", at=minute(-10_000))]
    contents = KnownContents({"s3://data/wine/train.csv": rows, "s3://elsewhere/copy.csv": rows})
    store = graph(everything(lived), contents)
    train(store, "fit-2", "s3://elsewhere/copy.csv", contents)

    run = f"mlflow:prod/runs/{lived.run_id}"
    both = upstream(store, run) | upstream(store, "fit-2")
    assert {"s3://data/wine/train.csv", "s3://elsewhere/copy.csv"} <= {key.partition("#")[0] for key in both}
    # Whichever was seen first, the other descends from it.
    shared = upstream(store, run) & upstream(store, "fit-2")
    assert any("#sha256:" in key for key in shared)


def test_what_sagemaker_does_with_a_model_leads_back_to_mlflows_run(lived: Lived) -> None:
    artifact = [stored("", "weights", at=minute(-10_000))]
    contents = KnownContents({"s3://models/wine/1/model.tar.gz": artifact, "s3://deployed/model.tar.gz": artifact})
    store = graph(everything(lived), contents)
    train(store, "fine-tune", "s3://deployed/model.tar.gz", contents)

    assert f"mlflow:prod/runs/{lived.run_id}" in upstream(store, "fine-tune")


def test_a_server_that_does_not_answer_is_asked_again_later() -> None:
    sync = MlflowSync(
        Server("gone"),
        MlflowApi(HttpToolApi(f"http://127.0.0.1:{free_port()}")),
        MemoryOfTools(),
        Collected(),
        lambda: datetime.now(UTC),
    )

    with pytest.raises(UnavailableError, match="gave no answer"):
        sync.go_on(MlflowPass(server="gone"), lambda: True)


def test_an_address_that_is_not_mlflows_is_refused_by_name(lived: Lived) -> None:
    api = MlflowApi(HttpToolApi(f"{lived.url}/nowhere"))

    with pytest.raises((InvalidInputError, UnavailableError), match=r"127\.0\.0\.1"):
        api.experiments()
