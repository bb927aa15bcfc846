"""MLflow: a real tracking server with SQLite and one worker; it keeps no graph, so each hop is a search.

A run knows the datasets that it read, by digest. Nothing of MLflow's says what a run wrote, so its digest is a tag of
the run, which is how people do it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import urllib3

from benchmarks.pipeline.cpu import children_of
from benchmarks.pipeline.runs import HOPS, Asked, Pipeline
from hallmark.lineage.questions import Direction

_PAGE = 1_000
_DIGESTS_AT_ONCE = 200


class MLflow:
    """See ``Tracker``; over MLflow's REST API, on one connection."""

    name = "MLflow"

    def __init__(self, url: str) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=1)
        self.servers: Sequence[int] = children_of(os.getpid())
        self._runs: dict[int, str] = {}
        self._experiment = ""

    def record(self, pipeline: Pipeline) -> None:
        """Four calls a run: begin it, say what it read, end it, register the version that it made."""
        self._experiment = self._call("POST", "experiments/create", name="pipeline")["experiment_id"]
        self._call("POST", "registered-models/create", name="pipeline")
        for place, run in enumerate(pipeline.runs):
            made = self._call(
                "POST",
                "runs/create",
                experiment_id=self._experiment,
                start_time=place,
                tags=[{"key": "wrote", "value": _digest(run.wrote)}, {"key": "node", "value": str(run.number)}],
            )
            identifier = self._runs[run.number] = made["run"]["info"]["run_id"]
            read = [
                {"dataset": {"name": "data", "digest": _digest(each), "source_type": "s3", "source": "{}"}, "tags": []}
                for each in run.read
            ]
            if read:
                self._call("POST", "runs/log-inputs", run_id=identifier, datasets=read)
            self._call("POST", "runs/update", run_id=identifier, status="FINISHED", end_time=place + 1)
            source = f"s3://lineage-bench/{run.wrote}"
            self._call("POST", "model-versions/create", name="pipeline", source=source, run_id=identifier)

    def ask(self, asked: Asked) -> Any:
        """Walk level by level: up, a search for the maker of each dataset; down, one for the readers of many."""
        return self._up(asked) if asked.direction is Direction.UP else self._down(asked)

    def numbers(self, found: Any) -> set[int]:
        """See ``Tracker``."""
        asked, numbers = found
        return {number for number in numbers if number != asked.start}

    def _up(self, asked: Asked) -> tuple[Asked, set[int]]:
        run = self._call("GET", "runs/get", run_id=self._runs[asked.start])["run"]
        met: set[int] = {asked.start}
        level = [run]
        for _ in range(HOPS // 2):
            read = {number for each in level for number in _read_by(each)} - met
            met |= read
            level = [
                maker
                for number in sorted(read)
                for maker in self._search(f"tags.wrote = '{_digest(number)}'")
                if _number(maker) not in met
            ]
            met.update(_number(each) for each in level)
        return asked, met

    def _down(self, asked: Asked) -> tuple[Asked, set[int]]:
        met: set[int] = {asked.start}
        level = {asked.start}
        for _ in range(HOPS // 2):
            digests = [f"'{_digest(number)}'" for number in sorted(level)]
            readers = {
                _number(run): run
                for start in range(0, len(digests), _DIGESTS_AT_ONCE)
                for run in self._search(f"dataset.digest IN ({', '.join(digests[start : start + _DIGESTS_AT_ONCE])})")
            }
            level = {_wrote(run) for number, run in readers.items() if number not in met} - met
            met |= readers.keys() | level
        return asked, met

    def _search(self, rule: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            page = {"page_token": token} if token else {}
            found = self._call(
                "POST",
                "runs/search",
                experiment_ids=[self._experiment],
                filter=rule,
                max_results=_PAGE,
                **page,
            )
            yield from found.get("runs", ())
            token = found.get("next_page_token")
            if not token:
                return

    def _call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        where = f"/api/2.0/mlflow/{path}"
        if method == "GET":
            answer = self._pool.request(method, where, fields=body)
        else:
            headers = {"Content-Type": "application/json"}
            answer = self._pool.request(method, where, body=json.dumps(body), headers=headers)
        if answer.status != 200:
            raise RuntimeError(f"MLflow answered {path} with {answer.status}: {answer.data[:500]!r}")
        found: dict[str, Any] = json.loads(answer.data)
        return found


def _digest(number: int) -> str:
    return f"{number:08x}"


def _read_by(run: dict[str, Any]) -> Iterable[int]:
    return [int(each["dataset"]["digest"], 16) for each in run.get("inputs", {}).get("dataset_inputs", ())]


def _tag(run: dict[str, Any], name: str) -> str:
    return next(str(tag["value"]) for tag in run["data"]["tags"] if tag["key"] == name)


def _number(run: dict[str, Any]) -> int:
    return int(_tag(run, "node"))


def _wrote(run: dict[str, Any]) -> int:
    return int(_tag(run, "wrote"), 16)
