"""Synthetic lineage in the shapes that real accounts have, made as rows: the same seed gives the same graph."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from hallmark.lineage.columns import KIND_CODES, NAME_OF_ID, NEVER, TYPE_CODES, Integers, RawRows, to_micros
from hallmark.lineage.index import RESERVED_WORDS
from hallmark.lineage.model import EdgeType, NodeKind

_ARN = "arn:aws:sagemaker:us-east-1:111122223333"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_SEED = 20_261_123
_RECENT_OUTPUTS = 50


class Shape(NamedTuple):
    """A graph as rows, and its edges as numbers of ``raw.keys`` for the peers."""

    raw: RawRows
    source: Integers
    target: Integers


class _Drawing:
    """Collects nodes and edges; times are minutes since the start."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._kinds: list[int] = []
        self._born: list[int] = []
        self._seen: list[int] = []
        self._links: list[tuple[int, int, int, int, int]] = []
        self._words = [*RESERVED_WORDS, "Completed"]
        self._codes = {word: code for code, word in enumerate(self._words)}

    def _add(self, kind: NodeKind, key: str, born: int, at: int) -> int:
        self.keys.append(key)
        self._kinds.append(KIND_CODES[kind])
        self._born.append(born)
        self._seen.append(at)
        return len(self.keys) - 1

    def resource(self, kind: NodeKind, name: str, at: int) -> int:
        """Add a resource whose name can be used again."""
        born = _START + timedelta(minutes=at)
        return self._add(kind, f"{_ARN}:{kind.value}/{name}@{born:%Y%m%dT%H%M%SZ}", to_micros(born), at)

    def thing(self, kind: NodeKind, key: str, at: int) -> int:
        """Add a node whose name is never used again."""
        return self._add(kind, key, NEVER, at)

    def version(self, place: str, at: int) -> int:
        """Add the content of a dataset at a time."""
        digest = sha256(f"{place} {at}".encode()).hexdigest()
        return self.thing(NodeKind.DATASET_VERSION, f"s3://lineage-bench/{place}#sha256:{digest}", at)

    def link(self, source: int, target: int, kind: EdgeType, role: str, at: int) -> None:
        """Add an edge."""
        code = self._codes.get(role)
        if code is None:
            code = self._codes[role] = len(self._words)
            self._words.append(role)
        self._links.append((source, target, TYPE_CODES[kind], code, at))

    def __len__(self) -> int:
        return len(self._links)

    def shape(self) -> Shape:
        """Return the graph; every node has one state."""
        links = np.array(self._links, dtype=np.int64)
        times = to_micros(_START) + links[:, 4] * 60_000_000
        source, target = links[:, 0].astype(np.int32), links[:, 1].astype(np.int32)
        count = len(self.keys)
        seen = to_micros(_START) + np.array(self._seen, dtype=np.int64) * 60_000_000
        raw = RawRows(
            keys=self.keys,
            words=self._words,
            node_kind=np.array(self._kinds, dtype=np.int8),
            node_born=np.array(self._born, dtype=np.int64),
            state_node=np.arange(count, dtype=np.int32),
            state_at=seen,
            state_recorded=seen + 1_000_000,
            state_order=np.arange(count, dtype=np.int64),
            state_status=np.full(count, self._codes["Completed"], dtype=np.int32),
            state_name=np.full(count, NAME_OF_ID, dtype=np.int32),
            edge_source=source,
            edge_target=target,
            edge_type=links[:, 2].astype(np.int8),
            edge_role=links[:, 3].astype(np.int32),
            edge_from=times,
            edge_recorded=times + 1_000_000,
            edge_exclusive=np.zeros(len(links), dtype=np.int8),
        )
        return Shape(raw, source, target)


class Company(NamedTuple):
    """The lineage of many projects, the dataset that half of them share, and a model of one of them."""

    shape: Shape
    hub: int
    models: tuple[int, ...]


def company(edges: int) -> Company:
    """Draw projects until there are so many edges.

    Each project prepares a version of its data from the company's customers, tunes, trains thirty models on it with an
    image and a commit, registers the best, deploys it, and transforms new data with it; later versions of its data are
    made from earlier ones. Every project reads the shared customers, in one of a few versions of them.
    """
    chance, drawing = random.Random(_SEED), _Drawing()
    hub = drawing.version("shared/customers", 0)
    others = [drawing.version("shared/customers", number) for number in range(1, 4)]
    images = [drawing.thing(NodeKind.IMAGE, f"train-{n}@sha256:{sha256(bytes([n])).hexdigest()}", 0) for n in range(20)]
    models: list[int] = []
    project = 0
    while len(drawing) < edges:
        models.append(
            _project(drawing, chance, f"p{project:05}", hub if project % 2 else chance.choice(others), images)
        )
        project += 1
    return Company(drawing.shape(), hub, tuple(models))


def _project(drawing: _Drawing, chance: random.Random, name: str, customers: int, images: list[int]) -> int:
    code = drawing.thing(NodeKind.CODE, f"git:https://git.example/{name}@{sha256(name.encode()).hexdigest()[:40]}", 1)
    raw = drawing.version(f"{name}/raw", 1)
    endpoint = drawing.resource(NodeKind.ENDPOINT, f"{name}-live", 2)
    features = model = -1
    for generation in range(3):
        at = 10 + generation * 1000
        prepare = drawing.resource(NodeKind.PROCESSING_JOB, f"{name}-prepare-{generation}", at)
        inputs = [customers, raw, code, chance.choice(images), *([features] if features >= 0 else [])]
        for number, source in enumerate(inputs):
            drawing.link(source, prepare, EdgeType.CONTRIBUTED_TO, f"input-{number}", at)
        features = drawing.version(f"{name}/features", at)
        drawing.link(prepare, features, EdgeType.PRODUCED, "features", at)
        tuning = drawing.resource(NodeKind.TUNING_JOB, f"{name}-tune-{generation}", at)
        artifacts = []
        for child in range(30):
            job = drawing.resource(NodeKind.TRAINING_JOB, f"{name}-train-{generation}-{child:02}", at + child)
            for role, source in (("train", features), ("image", images[0]), ("code", code)):
                drawing.link(source, job, EdgeType.CONTRIBUTED_TO, role, at)
            drawing.link(tuning, job, EdgeType.ASSOCIATED_WITH, "parent", at)
            artifacts.append(drawing.version(f"{name}/models/{generation}/{child:02}/model.tar.gz", at))
            drawing.link(job, artifacts[-1], EdgeType.PRODUCED, "model", at)
        package = drawing.thing(NodeKind.MODEL_PACKAGE, f"{_ARN}:model-package/{name}/{generation + 1}", at)
        drawing.link(chance.choice(artifacts), package, EdgeType.CONTRIBUTED_TO, "model-data", at)
        model = drawing.resource(NodeKind.MODEL, f"{name}-{generation}", at)
        drawing.link(package, model, EdgeType.CONTRIBUTED_TO, "package", at)
        config = drawing.resource(NodeKind.ENDPOINT_CONFIG, f"{name}-{generation}", at)
        drawing.link(model, config, EdgeType.CONTRIBUTED_TO, "AllTraffic", at)
        drawing.link(config, endpoint, EdgeType.CONTRIBUTED_TO, "config", at)
        transform = drawing.resource(NodeKind.TRANSFORM_JOB, f"{name}-score-{generation}", at)
        drawing.link(model, transform, EdgeType.CONTRIBUTED_TO, "model", at)
        scores = drawing.version(f"{name}/scores", at)
        drawing.link(transform, scores, EdgeType.PRODUCED, "scores", at)
    return model


class Chain(NamedTuple):
    """Runs that each read the output of the one before and of two of the fifty before that."""

    shape: Shape
    last: int
    outputs: tuple[int, ...] = ()
    hub: int | None = None
    """A dataset that every run reads too, where one was asked for."""


def chain(runs: int, *, with_hub: bool = False) -> Chain:
    """Draw the pipeline on which ML Metadata and Marquez were measured (three inputs, one output a run).

    The inputs of a run depend on how far it is from the last one only, so that questions about the last run have the
    same answer however many runs there are.
    """
    drawing = _Drawing()
    outputs: list[int] = []
    hub = drawing.version("chain/reference", 0) if with_hub else None
    last = -1
    for run in range(runs):
        last = drawing.thing(NodeKind.PIPELINE_EXECUTION, f"{_ARN}:pipeline/chain/execution/{run:07}", run)
        behind = random.Random(_SEED + runs - run)
        window = outputs[-1 - _RECENT_OUTPUTS : -1]
        for source in {*outputs[-1:], *behind.sample(window[::-1], min(2, len(window)))}:
            drawing.link(source, last, EdgeType.CONTRIBUTED_TO, "input", run)
        if hub is not None:
            drawing.link(hub, last, EdgeType.CONTRIBUTED_TO, "reference", run)
        outputs.append(drawing.version(f"chain/{run:07}", run))
        drawing.link(last, outputs[-1], EdgeType.PRODUCED, "output", run)
    return Chain(drawing.shape(), last, tuple(outputs), hub)
