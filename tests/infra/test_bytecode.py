"""Bytecode that is shipped is used as it is, whatever happens to the times of files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from infra import assets
from infra.assets import Platform, function_code, hallmark_layer_code
from infra.bytecode import PYTHON_VERSION, compile_folder, interpreter

UNCHECKED_HASH = 1
"""The second word of a file of bytecode (PEP 552): bit 0 is set for a hash, bit 1 for one that is checked."""
NEEDS_INTERPRETER = pytest.mark.skipif(interpreter() is None, reason=f"Python {PYTHON_VERSION} is not installed")


def flags(compiled: Path) -> int:
    return int.from_bytes(compiled.read_bytes()[4:8], "little")


def staged(code: lambda_.Code, place: Path) -> Path:
    """Return the folder in which CDK puts an asset."""
    app = cdk.App(outdir=str(place))
    stack = cdk.Stack(app, "Stack")
    lambda_.LayerVersion(stack, "Layer", code=code)
    app.synth()
    manifest = json.loads((place / "Stack.assets.json").read_text())
    (path,) = (file["source"]["path"] for file in manifest["files"].values() if file["source"]["packaging"] == "zip")
    found: Path = place / path
    return found


def test_a_module_is_not_compiled_again_when_its_file_looks_newer(tmp_path: Path) -> None:
    module = tmp_path / "told.py"
    module.write_text("VALUE = 'compiled'\n")
    compile_folder(tmp_path, sys.executable, "/opt")
    module.write_text("VALUE = 'written later, with another size'\n")

    command = [sys.executable, "-c", "import told; print(told.VALUE, told.__spec__.cached)"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, timeout=120).stdout

    assert told.split()[0] == "compiled"
    assert [flags(found) for found in tmp_path.rglob("*.pyc")] == [UNCHECKED_HASH]


def test_bytecode_names_the_place_where_it_is_deployed_not_where_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "told.py").write_text("def tell(): pass\n")
    compile_folder(tmp_path, sys.executable, "/opt")

    (compiled,) = tmp_path.rglob("*.pyc")
    assert b"/opt/python/told.py" in compiled.read_bytes()
    assert str(tmp_path).encode() not in compiled.read_bytes()


def test_a_file_that_is_no_python_harms_no_other(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("print 'of another age'\n")
    (tmp_path / "good.py").write_text("VALUE = 1\n")
    compile_folder(tmp_path, sys.executable, "/opt")

    assert [found.name.partition(".")[0] for found in tmp_path.rglob("*.pyc")] == ["good"]


@NEEDS_INTERPRETER
def test_for_aws_every_module_of_the_layer_has_its_bytecode(tmp_path: Path) -> None:
    layer = staged(hallmark_layer_code(Platform.AWS), tmp_path)
    modules = {found.relative_to(layer) for found in layer.rglob("*.py")}
    compiled = list(layer.rglob("*.pyc"))

    assert Path("python/hallmark/lineage/model.py") in modules
    assert {
        found.relative_to(layer).parent.parent / f"{found.name.partition('.')[0]}.py" for found in compiled
    } == modules
    assert {flags(found) for found in compiled} == {UNCHECKED_HASH}
    assert all(f".cpython-{PYTHON_VERSION.replace('.', '')}." in found.name for found in compiled)
    assert not any("cli" in found.parts for found in modules)


@NEEDS_INTERPRETER
def test_for_aws_a_handler_has_its_bytecode(tmp_path: Path) -> None:
    folder = staged(function_code("record_lineage", Platform.AWS), tmp_path)

    assert [found.relative_to(folder).parts[0] for found in folder.rglob("*.pyc")] == ["__pycache__"]


@pytest.mark.parametrize("platform", list(Platform))
def test_without_lambdas_python_the_sources_are_shipped_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: Platform
) -> None:
    monkeypatch.setattr(assets, "interpreter", lambda: None)
    layer = staged(hallmark_layer_code(platform), tmp_path)

    assert (layer / "python" / "hallmark" / "lineage" / "model.py").is_file()
    assert not list(layer.rglob("*.pyc"))
    assert not (layer / "python" / "hallmark" / "cli").exists()
