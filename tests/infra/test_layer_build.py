"""What the layers leave out is needed by nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.layer_build import trim

PROGRAM = """
import importlib.abc, sys

sys.path.insert(0, {stubs!r})

class LeftOut(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        last = name.rpartition(".")[2]
        if name == "yaml._yaml" or (name.startswith("numpy.") and (last.endswith("_tests") or last == "_simd")):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, LeftOut())

from datetime import UTC, datetime
from hallmark.evaluation.case_table import write_case_table
from hallmark.evaluation.cases import Case
from hallmark.evaluation.judging import read_rubric
from hallmark.evaluation.prices import cost_usd
from hallmark.evaluation.results import Answer, CaseResult
from hallmark.evaluation.scorers.registry import SCORERS, make_scorer
from hallmark.evaluation.suites import ScorerChoice

GIVEN = {{
    "regex": {{"pattern": "a"}}, "json_schema": {{"schema": {{"type": "object"}}}},
    "json_fields": {{}}, "custom": {{"file": "x.py", "source": "def score(case, answer): return 1.0"}},
}}
case = Case(id="1", prompt="Say it.", expected=("the cat sat on the mat",), choices=("a", "b"))
answer = Answer(text="a cat sat on a mat", stop_reason="end_turn", answered_at=datetime.now(UTC))
scored = []
for name in SCORERS:
    scorer = make_scorer(ScorerChoice(name=name, parameters=GIVEN.get(name, {{}})), labels=("a", "b"))
    scored += scorer.score(case, answer)
write_case_table([CaseResult(model="m", dataset="d", case="1", answer=answer, scores=tuple(scored))])
assert read_rubric("correctness") and cost_usd("amazon.nova-lite-v1:0", 1, 1)
import lxml.etree
print(lxml.etree.__file__)
"""


def test_all_scorers_work_without_what_is_left_out(tmp_path: Path) -> None:
    for module in ("lxml/__init__.py", "lxml/etree.py"):
        (tmp_path / module).parent.mkdir(exist_ok=True)
        (tmp_path / module).write_text("raise ImportError('left out')\n")

    trim(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(stubs=str(tmp_path))], check=False, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "lxml" / "etree.py")


def test_what_compilers_and_testers_need_is_left_out_and_modules_stay(tmp_path: Path) -> None:
    kept = ["numpy/core.py", "numpy/_core/_umath.cpython-313-aarch64-linux-gnu.so", "yaml/__init__.py"]
    left_out = [
        "numpy/tests/test_core.py",
        "numpy/include/api.h",
        "numpy/core.pyi",
        "numpy/_core/_umath_tests.cpython-313-aarch64-linux-gnu.so",
        "yaml/_yaml.cpython-313-aarch64-linux-gnu.so",
        "arro3.dist-info/sboms/arro3.json",
    ]
    for name in (*kept, *left_out):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    trim(tmp_path)

    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()) == sorted(kept)
