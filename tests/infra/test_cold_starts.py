"""What a start of a function waits for: nothing that only some event needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
# Constants that are values of models: each scorer's metric, why nothing was asked, what a manifest has by default.
CONSTANTS = {
    "hallmark.evaluation.metrics.Metric",
    "hallmark.evaluation.results.Failure",
    "hallmark.lineage.reproduction.manifest.Expected",
    "hallmark.lineage.reproduction.manifest.PinnedCode",
}
# Each handler is imported by a process of its own, a fork of one that has what all of them have.
IMPORT_ALL = """
import importlib.util, json, os, sys
import aws_lambda_powertools, botocore.session, pydantic
def models(above):
    for each in above.__subclasses__():
        yield each
        yield from models(each)
for name in json.loads(sys.argv[1]):
    reader, writer = os.pipe()
    if os.fork() == 0:
        spec = importlib.util.spec_from_file_location("handler", f"functions/{name}/handler.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["handler"] = module
        spec.loader.exec_module(module)
        own = [each for each in models(pydantic.BaseModel) if each.__module__.startswith(("hallmark", "handler"))]
        built = sorted({f"{each.__module__}.{each.__name__}" for each in own if each.__pydantic_complete__})
        os.write(writer, json.dumps([built, "numpy" in sys.modules]).encode())
        os._exit(0)
    os.close(writer)
    print(json.dumps([name, json.loads(os.fdopen(reader).read() or "null")]), flush=True)
    os.wait()
"""


def test_a_start_builds_no_model_but_those_of_constants_and_waits_for_no_numpy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(FUNCTIONS)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = dict(map(json.loads, done.stdout.splitlines()))

    assert set(found) == set(FUNCTIONS)
    assert {name: left for name, (built, _) in found.items() if (left := set(built) - CONSTANTS)} == {}
    assert [name for name, (_, has_numpy) in found.items() if has_numpy] == []
