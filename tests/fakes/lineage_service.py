"""A typed stand-in of the deployed stack for the command line, and a small lineage to answer from."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.aws.deployed import Redriven, Waiting
from hallmark.aws.ledger_reading import log_reader
from hallmark.aws.rerunning import Reruns
from hallmark.evaluation.questions import Question as EvaluationQuestion
from hallmark.gates.deciding import Request as DecisionRequest
from hallmark.ledger.tiles import Read
from hallmark.lineage.accountable import ApprovalsAnswer, ApprovalsQuestion, Approved
from hallmark.lineage.exports.sending import Post, Sent
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.questions import (
    Answer,
    Candidates,
    Direction,
    NodeSummary,
    Question,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TracedEdge,
    TracedNode,
    TraceQuestion,
)
from hallmark.lineage.reproduction.checking import World

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ACCOUNT = "arn:aws:sagemaker:us-east-1:111122223333"
BUCKET = "s3://sagemaker-us-east-1-111122223333"


class CannedService:
    """Answers from a function, and remembers what it was asked."""

    def __init__(
        self,
        answer: Callable[[Question], Answer] | None = None,
        *,
        waiting: list[Waiting] | None = None,
        redriven: list[Redriven] | None = None,
        evaluations: Callable[[EvaluationQuestion], dict[str, Any]] | None = None,
        functions: Callable[[str, Mapping[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self._functions = functions
        self.targets: list[tuple[str, str | None]] = []
        self.sent: list[Sent] = []
        self.seen_account: World | None = None
        self.started_runs: Reruns | None = None
        self.called: list[tuple[str, dict[str, Any]]] = []
        self._evaluations = evaluations
        self.asked_of_evaluations: list[EvaluationQuestion] = []
        self._answer = answer
        self._waiting = waiting or []
        self._redriven = redriven or []
        self.asked: list[Question] = []
        self.backfills: list[datetime | None] = []
        self.decided: list[DecisionRequest] = []
        self.decisions: Callable[[DecisionRequest], dict[str, Any]] | None = None

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        assert self._answer is not None
        return self._answer(question)

    def ask_evaluations(self, question: EvaluationQuestion) -> dict[str, Any]:
        self.asked_of_evaluations.append(question)
        assert self._evaluations is not None
        return self._evaluations(question)

    def call(self, output: str, stack: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        self.called.append((output, dict(payload)))
        assert self._functions is not None
        return self._functions(output, payload)

    def call_signed(self, output: str, stack: str, message: Mapping[str, Any]) -> dict[str, Any]:
        return self.call(output, stack, {"message": dict(message), "proof": "signed"})

    def caller(self) -> str:
        return "arn:aws:iam::111122223333:user/rater-1"

    def reruns(self) -> Reruns:
        assert self.started_runs is not None
        return self.started_runs

    def account(self) -> World:
        assert self.seen_account is not None
        return self.seen_account

    def output_of(self, output: str, stack: str) -> str:
        return output.lower()

    def signed_posts(self, output: str, stack: str) -> Callable[[bytes, Mapping[str, str]], tuple[int, bytes]]:
        raise NotImplementedError

    def lineage_target(self, address: str, key: str | None) -> Post:
        self.targets.append((address, key))
        return self.sent.append

    def read_log(self, place: str) -> Read:
        return log_reader(place, lambda: None)

    def decide(self, request: DecisionRequest) -> dict[str, Any]:
        self.decided.append(request)
        assert self.decisions is not None
        return self.decisions(request)

    def backfill(self, since: datetime | None) -> None:
        self.backfills.append(since)

    def dead_letters(self, limit: int) -> list[Waiting]:
        return [queue._replace(letters=queue.letters[:limit]) for queue in self._waiting]

    def redrive(self) -> list[Redriven]:
        return self._redriven


class Lineage:
    """A graph that is built node by node and walked by depth, as the query function does."""

    def __init__(self) -> None:
        self.nodes: dict[str, TracedNode] = {}
        self.edges: list[TracedEdge] = []
        self.attributes: dict[str, dict[str, Any]] = {}
        self.approved: list[Approved] = []

    def node(
        self, kind: NodeKind, label: str, *, key: str = "", status: str | None = None, deleted: bool = False
    ) -> str:
        key = key or f"{ACCOUNT}:{kind.value}/{label}"
        self.nodes[key] = TracedNode(key=key, kind=kind, label=label, status=status, at=NOON, deleted=deleted, depth=0)
        return key

    def version(self, place: str, number: int, digest: str) -> str:
        uri = f"{BUCKET}/{place}"
        label = f"{place.rpartition('/')[2]} v{number} ({digest[:8]})"
        key = self.node(NodeKind.DATASET_VERSION, label, key=f"{uri}#sha256:{digest}")
        self.flow(self.node(NodeKind.DATASET, uri, key=uri), key, "version", type_=EdgeType.ASSOCIATED_WITH)
        return key

    def flow(
        self,
        source: str,
        target: str,
        role: str = "",
        *,
        past: bool = False,
        type_: EdgeType = EdgeType.CONTRIBUTED_TO,
    ) -> None:
        self.edges.append(
            TracedEdge(
                source=source,
                target=target,
                type=type_,
                role=role,
                valid_from=NOON,
                valid_to=NOON + timedelta(hours=1) if past else None,
                recorded_at=NOON,
            )
        )

    def summary(self, key: str) -> NodeSummary:
        return NodeSummary(**self.nodes[key].model_dump(exclude={"depth"}))

    def answer(self, question: Question) -> Answer:
        """Answer a trace of one page, what is known of a node, or who approved it; an unknown one has no candidates."""
        if isinstance(question, ApprovalsQuestion):
            # Of a package's whole group, as the query function does.
            found = tuple(self.approved) if question.everything else tuple(self.approved[-1:])
            return ApprovalsAnswer(approved=found, groups=1, without=int(not found))
        assert isinstance(question, TraceQuestion | ShowQuestion)
        if question.node not in self.nodes:
            return Candidates(asked=question.node, reason="unknown", candidates=())
        if isinstance(question, ShowQuestion):
            return self.show(question.node)
        held = Lineage()
        held.nodes, held.edges = self.nodes, [edge for edge in self.edges if edge.valid_to is None]
        whole = held.trace(question.node, question.direction)
        kept = whole.nodes[: question.node_budget]
        keys = {node.key for node in kept}
        edges = tuple(edge for edge in whole.edges if {edge.source, edge.target} <= keys)
        cut = len(kept) < len(whole.nodes)
        return whole.model_copy(
            update={"nodes": kept, "edges": edges, "complete": not cut, "resume": "further" if cut else None}
        )

    def show(self, key: str) -> ShowAnswer:
        held = [edge for edge in self.edges if edge.valid_to is None]
        upstream = tuple(edge for edge in held if edge.target == key)
        downstream = tuple(edge for edge in held if edge.source == key)
        around = {edge.source for edge in upstream} | {edge.target for edge in downstream}
        return ShowAnswer(
            node=self.summary(key),
            attributes=self.attributes.get(key, {}),
            history=(),
            upstream=upstream,
            downstream=downstream,
            neighbours=tuple(self.summary(other) for other in sorted(around)),
        )

    def trace(self, start: str, direction: Direction = Direction.UP) -> TraceAnswer:
        up = direction is Direction.UP
        depths, waiting, used = {start: 0}, deque([start]), []
        while waiting:
            here = waiting.popleft()
            for edge in self.edges:
                near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
                if near == here:
                    used.append(edge)
                    if far not in depths:
                        depths[far] = depths[here] + 1
                        waiting.append(far)
        nodes = tuple(self.nodes[key].model_copy(update={"depth": depth}) for key, depth in depths.items())
        return TraceAnswer(
            start=self.summary(start),
            direction=direction,
            nodes=nodes,
            edges=tuple(sorted(used, key=lambda edge: (edge.source, edge.target, edge.role))),
            complete=True,
        )


ENDPOINT = f"{ACCOUNT}:endpoint/wine-live"
RAW = f"{BUCKET}/wine/raw"


def shipped_twice(children: int = 4) -> Lineage:
    """Return the lineage of a model that was tuned, registered and deployed, and then again with more data."""
    found = Lineage()
    image = found.node(NodeKind.IMAGE, "sagemaker-scikit-learn@3f8c1d22", key="sagemaker-scikit-learn@sha256:3f8c1d22")
    code = found.node(NodeKind.CODE, "wine@9d4fa1c2", key="git:https://example.com/wine@9d4fa1c2")
    endpoint = found.node(NodeKind.ENDPOINT, "wine-live", key=ENDPOINT, status="InService")
    group = found.node(NodeKind.MODEL_PACKAGE_GROUP, "wine")
    for version in (1, 2):
        prefix = f"wine/v{version}"
        raw = found.version("wine/raw", version, f"{version}a00aaaa")
        prepare = found.node(NodeKind.PROCESSING_JOB, f"wine-prepare-v{version}", status="Completed")
        train = found.version(f"{prefix}/train", 1, f"{version}b00bbbb")
        test = found.version(f"{prefix}/test", 1, f"{version}c00cccc")
        tuning = found.node(NodeKind.TUNING_JOB, f"wine-tune-v{version}", status="Completed")
        package = found.node(NodeKind.MODEL_PACKAGE, f"wine v{version}", status="Approved")
        model = found.node(NodeKind.MODEL, f"wine-v{version}")
        config = found.node(NodeKind.ENDPOINT_CONFIG, f"wine-v{version}")
        for source in (image, code, raw):
            found.flow(source, prepare, {image: "image", code: "code"}.get(source, "raw"))
        found.flow(prepare, train, "train", type_=EdgeType.PRODUCED)
        found.flow(prepare, test, "test", type_=EdgeType.PRODUCED)
        for child in range(1, children + 1):
            status = "Failed" if child == children else "Completed"
            job = found.node(NodeKind.TRAINING_JOB, f"wine-tune-v{version}-{child:03d}", status=status)
            found.flow(tuning, job, "parent", type_=EdgeType.ASSOCIATED_WITH)
            for source, role in ((train, "train"), (test, "test"), (image, "image"), (code, "code")):
                found.flow(source, job, role)
            artifact = found.version(f"{prefix}/models/{child:03d}/model.tar.gz", 1, f"{version}{child:03d}eeee")
            found.flow(job, artifact, "model", type_=EdgeType.PRODUCED)
            if child == 1:
                found.flow(job, package, "generated-by", type_=EdgeType.PRODUCED)
                found.flow(artifact, package, "model-data")
        found.flow(package, group, "member", type_=EdgeType.ASSOCIATED_WITH)
        found.flow(package, model, "package")
        found.flow(model, config, "AllTraffic")
        found.flow(config, endpoint, "config", past=version == 1)
    return found
