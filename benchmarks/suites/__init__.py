"""A whole suite on the deployed app: WMT17's systems on its test set, at two sizes, beside a bare loop over Converse.

Wall time, requests to AWS by case, and whether both stay flat as the cases grow. ``CASES`` and ``MODELS`` (variables of
the environment) choose the size; the whole test set with all systems is ``CASES=3004 MODELS=16``.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

import local.cloud
from local.bedrock.models.translation import SYSTEMS
from local.bedrock.published_corpora import translation_cases
from local.cloud import LocalCloud
from local.deployment import LOCAL_CONTEXT, CloudAddress, deploy
from local.evaluation_datasets import put_datasets
from local.gateway import Gateway
from local.settings import CloudSettings

ROOT = Path(__file__).parents[2]
_STEPS = 10
"""The larger run has ten times the cases of the smaller one."""
_LANES = 8
_SECONDS = 3600.0
_SERVICE = re.compile(rb"Credential=[^/]+/\d+/[^/]+/([a-z0-9-]+)/")


class _Counted(Gateway):
    """The gateway, which counts requests by service."""

    requests: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            signed = dict(scope["headers"]).get(b"authorization", b"")
            found = _SERVICE.search(signed)
            self.requests[found[1].decode() if found else "other"] += 1
        await super().__call__(scope, receive, send)


def run() -> Iterator[dict[str, Any]]:
    """Deploy, run the suite at both sizes, and ask the same of the same models in a bare loop."""
    cases, models = int(os.environ.get("CASES", "1000")), int(os.environ.get("MODELS", "4"))
    with tempfile.TemporaryDirectory() as folder:
        policy = _write_policy(Path(folder), cases, SYSTEMS[:models])
        setattr(local.cloud, "Gateway", _Counted)  # noqa: B010 - counted for this run only
        try:
            with LocalCloud(CloudSettings()) as cloud:
                yield from _measure(cloud, policy, cases, models)
        finally:
            setattr(local.cloud, "Gateway", Gateway)  # noqa: B010


def _measure(cloud: LocalCloud, policy: Path, cases: int, models: int) -> Iterator[dict[str, Any]]:
    address = CloudAddress(cloud.endpoint, cloud.account, cloud.region, cloud.child_environment())
    deployed = deploy(ROOT, address, echo=lambda _line: None, context={**LOCAL_CONTEXT, "policy": str(policy)})
    function = deployed.outputs["HallmarkEvaluation"]["QueryEvaluationsFunctionName"]
    put_datasets(cloud, tweets=10)
    # The first run pays for the start of the functions and the loading of the models.
    _run_suite(cloud, function, "warm")
    found: dict[str, tuple[float, Counter[str]]] = {}
    cpu_seconds: dict[str, float] = {}
    for suite in ("small", "large"):
        _Counted.requests.clear()
        before = _cpu_seconds_of_functions()
        seconds = _run_suite(cloud, function, suite)
        cpu_seconds[suite] = _cpu_seconds_of_functions() - before
        found[suite] = (seconds, Counter(_Counted.requests))
    bare = _bare_loop(cloud, cases, models)
    calls, few = cases * models, max(cases // _STEPS, 1) * models
    seconds, requests = found["large"]
    yield _line(
        f"calls per second of a suite, {cases:,} cases x {models} models, deployed app on the local cloud",
        calls / seconds,
        calls / bare,
        f"calls/s (peer: a bare loop over Converse in {_LANES} threads, nothing kept)",
    )
    yield _line(
        "the same at ten times the cases",
        calls / seconds,
        few / found["small"][0],
        "calls/s (peer: a tenth of the cases)",
        goal=1.0,
    )
    yield {
        "area": "evaluation",
        "name": "CPU of the functions per call of a model",
        "ours": round(1000 * cpu_seconds["large"] / calls, 2),
        "peer": round(1000 * cpu_seconds["small"] / few, 2),
        "unit": "ms (peer: a tenth of the cases)",
        "ratio": None,
        "goal": None,
        "met": None,
    }
    for service, count in sorted(requests.items()):
        yield {
            "area": "evaluation",
            "name": f"requests to {service} per call of a model",
            "ours": round(count / calls, 3),
            "peer": round(found["small"][1][service] / few, 3),
            "unit": "requests (peer: a tenth of the cases)",
            "ratio": None,
            "goal": None,
            "met": None,
        }


def _cpu_seconds_of_functions() -> float:
    """Return what the processes below this one have used: the functions' environments, which live on between calls."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(stat.parent.name)
        # proc(5): after the name come the state, the parent, and as the 12th and 13th the ticks of user and kernel.
        parents[process], used[process] = int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    own = os.getpid()

    def is_ours(process: int) -> bool:
        while process in parents:
            process = parents[process]
            if process == own:
                return True
        return False

    return sum(seconds for process, seconds in used.items() if is_ours(process))


def _line(name: str, ours: float, peer: float, unit: str, goal: float | None = None) -> dict[str, Any]:
    ratio = ours / peer
    return {
        "area": "evaluation",
        "name": name,
        "ours": round(ours, 1),
        "peer": round(peer, 1),
        "unit": unit,
        "ratio": round(ratio, 3),
        "goal": goal,
        "met": None if goal is None else ratio >= goal,
    }


def _write_policy(folder: Path, cases: int, systems: tuple[str, ...]) -> Path:
    names = [f"m{number}" for number in range(len(systems))]
    suites = {
        name: {
            "template": "champion-challenger",
            "model_variants": names,
            "champion": names[0],
            "datasets": ["newstest"],
            "scorers": ["chrf"],
            "sampling": {"cases": size, "seed": 1},
            "parallel_executions": 4,
            "budget": {"usd": 1000, "time": "1 day"},
        }
        for name, size in (("warm", 40), ("small", max(cases // _STEPS, 1)), ("large", cases))
    }
    models = {
        name: {"model_id": f"hallmark.wmt17-{system}-v1:0", "inference": {"max_tokens": 256}}
        for name, system in zip(names, systems, strict=True)
    }
    dataset = {"newstest": {"location": "s3://hallmark-evaluation-data-{account}/newstest2017.jsonl"}}
    buckets = ["hallmark-evaluation-data-{account}"]
    file = folder / "policy.yaml"
    content = {"evaluation": {"data_buckets": buckets, "models": models, "datasets": dataset, "suites": suites}}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file


def _ask(cloud: LocalCloud, function: str, **question: Any) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=json.dumps(question).encode())
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise RuntimeError(found)
    return found


def _run_suite(cloud: LocalCloud, function: str, suite: str) -> float:
    began = time.perf_counter()
    name = _ask(cloud, function, ask="start", suite=suite)["run"]
    while time.perf_counter() - began < _SECONDS:
        time.sleep(0.5)
        runs = [each for each in _ask(cloud, function, ask="runs")["runs"] if each["run"] == name]
        if runs and runs[0]["status"] == "completed":
            return time.perf_counter() - began
        if runs and runs[0]["status"] == "failed":
            raise RuntimeError(runs[0]["reason"])
    raise TimeoutError(f"{name} did not end within {_SECONDS:g} s")


def _bare_loop(cloud: LocalCloud, cases: int, models: int) -> float:
    client = cloud.client("bedrock-runtime")
    prompts = [str(case["prompt"]) for case in translation_cases(cases)]

    def ask(call: tuple[str, str]) -> None:
        system, prompt = call
        client.converse(
            modelId=f"hallmark.wmt17-{system}-v1:0", messages=[{"role": "user", "content": [{"text": prompt}]}]
        )

    began = time.perf_counter()
    with ThreadPoolExecutor(_LANES) as lanes:
        list(lanes.map(ask, [(system, prompt) for prompt in prompts for system in SYSTEMS[:models]]))
    return time.perf_counter() - began
