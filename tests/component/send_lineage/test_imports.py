"""What the functions of the exchange import is in their layers: nothing that only the command line or tests have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ELSEWHERE = (
    "typer",
    "rich",
    "yaml",
    "jsonschema",
    "openlineage",
    "requests",
    "mlflow",
    "cryptography",
    "arro3",
    "attr",
)
SCRIPT = """
import importlib.util, runpy, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
runpy.run_path({handler!r}, run_name="handler")
"""


@pytest.mark.parametrize(("name", "missing"), [("receive_lineage", ("numpy", *ELSEWHERE)), ("send_lineage", ELSEWHERE)])
def test_a_function_of_the_exchange_imports_nothing_that_its_layers_lack(name: str, missing: tuple[str, ...]) -> None:
    handler = str(ROOT / "functions" / name / "handler.py")
    code = SCRIPT.format(missing=set(missing), handler=handler)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own text

    assert done.returncode == 0, done.stderr[-2000:]
