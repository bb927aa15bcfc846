"""The function as Lambda runs it, against the lineage API and the entities that SageMaker makes by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hallmark.aws.clients import client
from hallmark.aws.ecr import EcrImages
from hallmark.aws.s3 import S3Contents, S3Manifests
from hallmark.aws.sagemaker import SageMakerDescriber
from hallmark.lineage.model import Fact, RecordedFact
from hallmark.lineage.recording import Surroundings, record_event
from tests.fakes.memory_store import NobodyHidden
from tests.fakes.stand_in_account import (
    ACCOUNT,
    MANIFESTS,
    REGION,
    Invocation,
    StandInAccount,
    empty_table,
    load_handler,
    sqs_event,
    stand_in_account,
)

PREFIX = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
Ends = tuple[str, str]
COMPONENT = f"{PREFIX}:experiment-trial-component/fit-aws-training-job"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInAccount]:
    """An account in which a model came from data to an endpoint."""
    scratch: Path = tmp_path_factory.mktemp("scratch")
    with pytest.MonkeyPatch.context() as patch, stand_in_account(scratch, patch) as account:
        account.put("raw/a.csv", "1,2\n")
        copy = "cp /opt/ml/processing/input/* /opt/ml/processing/output/"
        account.process("split", copy, "s3://data/raw/", "s3://data/split")
        commit = {"Key": "git_commit", "Value": "0123abc"}
        model = account.train("fit", "s3://data/split", Tags=[commit])
        account.tune("search", "s3://data/split", "1", "2")
        account.client.create_model_package_group(ModelPackageGroupName="churn")
        account.make_model("churn-1", account.register(model))
        account.deploy("live", "churn-1")
        yield account


@pytest.fixture(scope="module")
def own(lived: StandInAccount) -> frozenset[Ends]:
    """The associations that SageMaker made by itself."""
    return associations(lived)


@pytest.fixture
def account(lived: StandInAccount, own: frozenset[Ends]) -> Iterator[StandInAccount]:
    """The account without what was mirrored before, and with an empty record."""
    empty_table()
    lived.take(lived.queues.dead_letters)
    lived.refuse = lambda _operation, _request: None
    yield lived
    lived.refuse = lambda _operation, _request: None
    for source, target in associations(lived) - own:
        lived.client.delete_association(SourceArn=source, DestinationArn=target)
    for artifact in artifacts(lived):
        if "ArtifactName" in artifact:
            lived.client.delete_artifact(ArtifactArn=artifact["ArtifactArn"])
    lived.calls.clear()


def record_all(account: StandInAccount, recorded_at: datetime | None = None) -> list[RecordedFact]:
    """Record all events of the account; return the facts."""
    known = Surroundings(
        store=account.table(),
        describer=SageMakerDescriber(),
        contents=S3Contents(client("s3")),
        images=EcrImages(client("ecr"), ACCOUNT),
        manifests=S3Manifests(MANIFESTS, client("s3")),
        people=NobodyHidden(),
        clock=lambda: recorded_at or datetime.now(UTC),
        account=ACCOUNT,
    )
    for event in account.events():
        record_event(event, known)
    account.calls.clear()
    return list(account.table().since(None))


def announcement(fact: Fact, **more: Any) -> str:
    """Return ``LineageRecorded`` as the queue gets it."""
    state = fact.states[0]
    detail = {"factId": fact.id, "kind": fact.subject.kind.value, "status": state.status, **more}
    return json.dumps({"source": "hallmark", "detail-type": "LineageRecorded", "detail": detail})


def run(bodies: list[str], *, receives: int = 1) -> list[str]:
    """Hand messages to a new environment of the function; return which come again."""
    function: ModuleType = load_handler("mirror_lineage")
    response = function.handler(sqs_event(*bodies, receives=receives), Invocation(remaining_seconds=120))
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def mirror_all(account: StandInAccount) -> list[RecordedFact]:
    facts = record_all(account)
    assert run([announcement(recorded.fact) for recorded in facts]) == []
    return facts


def artifacts(account: StandInAccount) -> list[dict[str, Any]]:
    pages = account.client.get_paginator("list_artifacts").paginate()
    return [summary for page in pages for summary in page["ArtifactSummaries"]]


def associations(account: StandInAccount) -> frozenset[Ends]:
    pages = account.client.get_paginator("list_associations").paginate()
    return frozenset(
        (summary["SourceArn"], summary["DestinationArn"]) for page in pages for summary in page["AssociationSummaries"]
    )


def links(account: StandInAccount) -> set[tuple[str, str, str]]:
    """Return all associations by source URI (of a trial component: its ARN), without digests."""
    uris = {summary["ArtifactArn"]: summary["Source"]["SourceUri"] for summary in artifacts(account)}
    pages = account.client.get_paginator("list_associations").paginate()
    return {
        (
            _short(uris.get(summary["SourceArn"], summary["SourceArn"])),
            summary["AssociationType"],
            _short(uris.get(summary["DestinationArn"], summary["DestinationArn"])),
        )
        for page in pages
        for summary in page["AssociationSummaries"]
    }


def _short(uri: str) -> str:
    head, separator, digest = uri.partition("sha256=")
    return f"{head}{separator}…" if digest else uri


def test_from_data_to_endpoint_each_content_stands_between_those_that_wrote_and_read_it(
    account: StandInAccount,
) -> None:
    mirror_all(account)

    found = links(account)
    split = f"{PREFIX}:experiment-trial-component/split-aws-processing-job"
    model = "s3://data/models/fit/output/model.tar.gz"
    package = f"{PREFIX}:model-package/churn/1"
    assert {
        ("s3://data/raw/", "DerivedFrom", "s3://data/raw#sha256=…"),
        ("s3://data/raw#sha256=…", "ContributedTo", split),
        (split, "Produced", "s3://data/split#sha256=…"),
        ("s3://data/split#sha256=…", "ContributedTo", COMPONENT),
        ("git:@0123abc", "ContributedTo", COMPONENT),
        (COMPONENT, "Produced", f"{model}#sha256=…"),
        (model, "DerivedFrom", f"{model}#sha256=…"),
        (f"{model}#sha256=…", "ContributedTo", package),
        (package, "ContributedTo", f"{PREFIX}:model/churn-1"),
    } <= found


def test_the_children_of_a_tuning_job_lead_to_it(account: StandInAccount) -> None:
    mirror_all(account)

    children = [
        target for source, kind, target in links(account) if source == f"{PREFIX}:hyper-parameter-tuning-job/search"
    ]

    assert len(children) == 2
    assert all("search-" in child for child in children)


def test_sagemakers_own_query_reaches_the_raw_data_by_content(account: StandInAccount) -> None:
    mirror_all(account)
    uri = "s3://data/models/fit/output/model.tar.gz"
    (model,) = account.client.list_artifacts(SourceUri=uri)["ArtifactSummaries"]

    answer = account.client.query_lineage(
        StartArns=[model["ArtifactArn"]], Direction="Ascendants", IncludeEdges=False, MaxDepth=10, MaxResults=50
    )

    arns = {vertex["Arn"] for vertex in answer["Vertices"]}
    sources = {each["Source"]["SourceUri"] for each in artifacts(account) if each["ArtifactArn"] in arns}
    assert any(source.startswith("s3://data/raw#sha256=") for source in sources)


def test_a_package_says_what_it_is_made_of(account: StandInAccount) -> None:
    mirror_all(account)

    (package,) = account.client.list_artifacts(SourceUri=f"{PREFIX}:model-package/churn/1")["ArtifactSummaries"]
    properties = account.client.describe_artifact(ArtifactArn=package["ArtifactArn"])["Properties"]

    assert properties["model_digest"].startswith("sha256:")


def test_a_repeat_makes_nothing_and_spends_nothing(account: StandInAccount) -> None:
    facts = mirror_all(account)
    before = (len(artifacts(account)), associations(account), spent())
    account.calls.clear()

    assert run([announcement(recorded.fact) for recorded in facts]) == []

    assert (len(artifacts(account)), associations(account), spent()) == before
    assert account.called("CreateArtifact", "UpdateArtifact") == []


def spent() -> dict[str, int]:
    item: Any = client("dynamodb").get_item(
        TableName="lineage", Key={"pk": {"S": "BUDGET#mirror"}, "sk": {"S": "BUDGET"}}
    )
    return {name: int(value["N"]) for name, value in item.get("Item", {}).items() if "N" in value}


def test_what_was_made_is_what_was_spent(account: StandInAccount, own: frozenset[Ends]) -> None:
    mirror_all(account)

    made = [artifact for artifact in artifacts(account) if "ArtifactName" in artifact]
    assert spent() == {"artifact": len(made), "association": len(associations(account) - own)}


def test_the_budget_of_the_deployment_is_kept_and_the_message_is_done(
    account: StandInAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MIRROR_ARTIFACT_BUDGET", "2")

    mirror_all(account)

    assert len([artifact for artifact in artifacts(account) if "ArtifactName" in artifact]) == 2
    (metrics,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert metrics["MirrorHeadroom"] == [0]
    assert metrics["MirrorBudgetSpent"][0] > 0
    assert account.take(account.queues.dead_letters) == []


def test_the_limit_of_the_account_is_no_reason_to_try_again(account: StandInAccount) -> None:
    account.refuse = lambda operation, _request: (
        ("ResourceLimitExceeded", 400) if operation == "CreateArtifact" else None
    )

    mirror_all(account)

    assert spent().get("artifact", 0) == 0
    assert account.take(account.queues.dead_letters) == []


def fact_of(facts: list[RecordedFact], name: str, status: str) -> Fact:
    found = [
        recorded.fact
        for recorded in facts
        if recorded.fact.subject.id.endswith(f"/{name}") and recorded.fact.states[0].status == status
    ]
    return found[-1]


def test_a_fact_that_is_ahead_of_sagemaker_comes_again_and_is_mirrored_without_it_in_the_end(
    account: StandInAccount,
) -> None:
    def hide(operation: str, request: Mapping[str, Any]) -> tuple[str, int] | None:
        named = json.dumps(request)
        return ("ResourceNotFound", 400) if operation == "AddAssociation" and COMPONENT in named else None

    account.refuse = hide
    body = announcement(fact_of(record_all(account), "fit", "Completed"))
    assert run([body]) == ["message-0"]

    account.refuse = lambda _operation, _request: None
    assert run([body], receives=2) == []
    assert ("s3://data/split#sha256=…", "ContributedTo", COMPONENT) in links(account)

    empty_table()
    account.refuse = hide
    old = fact_of(record_all(account, datetime.now(UTC) - timedelta(minutes=11)), "fit", "Completed")
    assert run([announcement(old)], receives=2) == []


def test_what_can_add_nothing_is_not_even_read(account: StandInAccount) -> None:
    facts = record_all(account)
    running = [announcement(each.fact) for each in facts if each.fact.states[0].status in {"InProgress", "InService"}]

    assert running
    assert run(running) == []
    assert account.calls == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("no json", "send JSON"),
        ("[1]", "send LineageRecorded"),
        ('{"detail": {"factId": 7}}', "send LineageRecorded"),
    ],
)
def test_a_message_that_names_no_fact_goes_to_the_dead_letters_with_the_reason(
    account: StandInAccount, body: str, reason: str
) -> None:
    assert run([body]) == []

    (letter,) = account.take(account.queues.dead_letters)
    assert letter["Body"] == body
    assert reason in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]


def test_a_fact_that_is_not_there_is_asked_for_again_and_then_kept_with_the_reason(account: StandInAccount) -> None:
    body = '{"detail": {"factId": "unknown", "kind": "training-job", "status": "Completed"}}'

    assert run([body]) == ["message-0"]
    assert run([body], receives=5) == []

    (letter,) = account.take(account.queues.dead_letters)
    assert "unknown is not in the lineage table" in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]


def test_what_the_role_may_not_do_comes_again_and_ends_in_the_dead_letters_with_the_reason(
    account: StandInAccount,
) -> None:
    account.refuse = lambda operation, _request: (
        ("AccessDeniedException", 400) if operation == "CreateArtifact" else None
    )
    body = announcement(fact_of(record_all(account), "fit", "Completed"))

    assert run([body]) == ["message-0"]
    assert run([body], receives=5) == []

    (letter,) = account.take(account.queues.dead_letters)
    assert "AccessDenied" in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]
