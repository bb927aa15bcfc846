"""A model as facts tell of it: trained, judged, approved, served, replaced, drifted, trained anew; times in minutes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hallmark.lineage.answering import Answerer
from hallmark.lineage.model import EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin, RecordedFact
from hallmark.lineage.ports import ManifestReader
from hallmark.lineage.questions import Answer, Question
from hallmark.lineage.rows import GraphRows
from tests.fakes.lineage_facts import PREFIX, edge, fact, minute, node, place, version
from tests.fakes.memory_store import MemoryStore

NOW = datetime(2027, 1, 1, tzinfo=UTC)
GROUP = node(NodeKind.MODEL_PACKAGE_GROUP, "churn", born=0)
ENDPOINT = node(NodeKind.ENDPOINT, "churn-live", born=0)
ALICE = NodeRef(kind=NodeKind.USER, id="arn:aws:iam::111122223333:user/alice")
BOB = NodeRef(kind=NodeKind.USER, id="arn:aws:iam::111122223333:user/bob")
OLD_IMAGE = NodeRef(kind=NodeKind.IMAGE, id="111122223333.dkr.ecr.us-east-1.amazonaws.com/train@sha256:" + "1" * 64)
NEW_IMAGE = NodeRef(kind=NodeKind.IMAGE, id="111122223333.dkr.ecr.us-east-1.amazonaws.com/train@sha256:" + "2" * 64)
CODE = NodeRef(kind=NodeKind.CODE, id="git:https://example.com/churn@" + "a" * 40)


def hallmark(kind: NodeKind, name: str) -> NodeRef:
    return NodeRef(kind=kind, id=f"hallmark:{kind.value}/{name}")


def package(number: int) -> NodeRef:
    return NodeRef(kind=NodeKind.MODEL_PACKAGE, id=f"{PREFIX}:model-package/churn/{number}")


def digest(text: str) -> str:
    return (text.encode().hex() * 64)[:64]


def content(where: str, name: str) -> NodeRef:
    return version(where, digest(name))


def listed(ref: NodeRef, rows: list[list[Any]], **attributes: Any) -> NodeState:
    told = {"manifest": rows, "objects": len(rows), "bytes": sum(row[3] for row in rows), "complete": True}
    return NodeState(node=ref, attributes={**told, **attributes})


def trained(
    number: int,
    at: float,
    *,
    data: str,
    image: NodeRef = OLD_IMAGE,
    code: NodeRef | None = CODE,
    recorded: float | None = None,
    metrics: dict[str, float] | None = None,
    hyperparameters: dict[str, str] | None = None,
    content_types: tuple[str, ...] = ("text/csv",),
    **attributes: Any,
) -> list[RecordedFact]:
    """Return the facts of a training job and of the package that was registered from it."""
    when = at if recorded is None else recorded
    job = node(NodeKind.TRAINING_JOB, f"train-{number}", born=at)
    used = content("s3://data/train", data)
    made = content(f"s3://models/{number}/model.tar.gz", f"model-{number}")
    edges = [
        edge(used, job, role="train", at=at),
        edge(image, job, role="image", at=at),
        edge(job, made, EdgeType.PRODUCED, "model", at + 1),
        edge(place("s3://data/train"), used, EdgeType.ASSOCIATED_WITH, "version", at),
        edge(ALICE, job, EdgeType.ASSOCIATED_WITH, "created-by", at),
    ]
    edges += [edge(code, job, role="code", at=at)] if code else []
    registered = package(number)
    return [
        fact(
            job,
            *edges,
            at=at + 1,
            recorded=when,
            name=f"train-{number}",
            created_by=ALICE.id,
            metrics=metrics or {},
            hyperparameters=hyperparameters or {"depth": "3"},
            image={"uri": image.id, "digest": image.id.partition("@")[2]},
            inputs=[
                {
                    "role": "train",
                    "uri": "s3://data/train",
                    "version": used.id,
                    "digest": digest(data),
                    "objects": 2,
                    "bytes": 9,
                }
            ],
        ),
        fact(
            registered,
            edge(made, registered, role="model-data", at=at + 2),
            edge(image, registered, role="image", at=at + 2),
            edge(job, registered, EdgeType.PRODUCED, "generated-by", at + 2),
            edge(registered, GROUP, EdgeType.ASSOCIATED_WITH, "member", at + 2),
            at=at + 2,
            recorded=when,
            name=f"churn/{number}",
            approval_status="PendingManualApproval",
            content_types=list(content_types),
            **attributes,
        ),
    ]


def deployed(number: int, at: float, recorded: float | None = None) -> list[RecordedFact]:
    """Return the facts of a model, a configuration, and the endpoint that serves it."""
    when = at if recorded is None else recorded
    model = node(NodeKind.MODEL, f"churn-{number}", born=at)
    config = node(NodeKind.ENDPOINT_CONFIG, f"churn-{number}", born=at)
    return [
        fact(model, edge(package(number), model, role="package", at=at), at=at, recorded=when, status=None),
        fact(config, edge(model, config, role="AllTraffic", at=at), at=at, recorded=when, status=None),
        fact(
            ENDPOINT,
            edge(config, ENDPOINT, role="config", at=at, exclusive=True),
            status="InService",
            at=at,
            recorded=when,
            name="churn-live",
            config=f"churn-{number}",
            tags={"owner": "risk-team"},
        ),
    ]


def judged(
    number: int,
    at: float,
    outcome: str,
    criteria: dict[str, dict[str, Any]],
    gate: str = "release",
    recorded: float = 0,
) -> RecordedFact:
    verdict = hallmark(NodeKind.VERDICT, f"{gate}-{number}-{at:g}")
    return fact(
        verdict,
        edge(package(number), verdict, role="judged", at=at),
        status=outcome,
        at=at,
        recorded=recorded or at,
        name=f"{gate}: churn:{number}",
        gate=gate,
        stage="production",
        action="promote",
        summary=f"{gate} {outcome.lower()}",
        criteria=criteria,
    )


def approved(number: int, at: float, recorded: float = 0) -> list[RecordedFact]:
    approval = hallmark(NodeKind.APPROVAL, f"ap-{number}")
    return [
        fact(
            approval,
            edge(package(number), approval, role="subject", at=at),
            status="approved",
            at=at,
            recorded=recorded or at,
            name="approved for production",
            by=BOB.id,
            reason=f"version {number} was fine in the shadow test",
        ),
        fact(package(number), status="Completed", at=at, recorded=recorded or at, approval_status="Approved"),
    ]


def drifted_and_retrained(number: int, at: float) -> list[RecordedFact]:
    """Return the facts of drift of what was served, and of the retraining of a version that it caused."""
    report = hallmark(NodeKind.DRIFT_REPORT, "churn-2026")
    action = hallmark(NodeKind.ACTION, "retrain/churn/1")
    execution = NodeRef(kind=NodeKind.PIPELINE_EXECUTION, id=f"{PREFIX}:pipeline/churn/execution/abc")
    job = node(NodeKind.TRAINING_JOB, f"train-{number}", born=at + 1)
    return [
        fact(report, edge(node(NodeKind.ENDPOINT_CONFIG, "churn-1"), report, role="watched", at=at), at=at,
             recorded=at, status="Drifted", name="churn 2026", summary="alcohol rose by 0.4"),
        fact(action, edge(report, action, role="cause", at=at), edge(action, execution, role="started", at=at), at=at,
             recorded=at, status="Started", name="retrain churn"),
        fact(execution, edge(execution, job, EdgeType.ASSOCIATED_WITH, "Retrain", at), at=at, recorded=at,
             status="Executing", name="churn/abc"),
    ]  # fmt: skip


def alert(cause: NodeRef, at: float, status: str = "Firing") -> RecordedFact:
    node_ = hallmark(NodeKind.ALERT, "f1@0")
    return fact(node_, edge(cause, node_, role="cause", at=at), at=at, recorded=at, status=status, name="DriftDetected",
                severity="critical", summary="churn drifts")  # fmt: skip


def story() -> list[RecordedFact]:
    """Return a model that was shipped, drifted, was trained anew and shipped again."""
    good = {"accuracy": {"outcome": "passed", "value": 0.93, "low": 0.9, "high": 0.95, "threshold": 0.8, "cases": 400}}
    close = {"recall": {"outcome": "passed", "value": 0.84, "low": 0.81, "high": 0.9, "threshold": 0.8, "cases": 400}}
    return [
        *trained(1, 10, data="january"),
        judged(1, 15, "Passed", good),
        *approved(1, 16),
        *deployed(1, 20),
        *drifted_and_retrained(2, 29),
        *trained(2, 30, data="february", image=NEW_IMAGE),
        judged(2, 35, "Passed", good | close),
        *approved(2, 36),
        *deployed(2, 40),
        alert(hallmark(NodeKind.VERDICT, "release-2-35"), 45),
        fact(ALICE, status=None, recorded=1),
    ]


def answerer(facts: list[RecordedFact], now: datetime = NOW, manifests: ManifestReader | None = None) -> Answerer:
    store, rows = MemoryStore(), GraphRows()
    for recorded in facts:
        store.add(recorded.fact, recorded.recorded_at)
    rows.add(store.since(None))
    return Answerer(rows, store, lambda: now, manifests=manifests)


def asked(facts: list[RecordedFact], question: Question) -> Answer:
    return answerer(facts).answer(question)


def described(ref: NodeRef, *states: NodeState, recorded: float = 0) -> RecordedFact:
    made = Fact(subject=ref, origin=Origin.DESCRIBED, states=states)
    return RecordedFact(fact=made, recorded_at=minute(recorded))
