"""Build the layers of third-party packages for Lambda: ``python -m infra.layer_build``.

Wheels for Lambda's Python and processor are unpacked (no Docker, no compiler), botocore's data is cut down to the
services in use, and bytecode is compiled where that Python is installed: each of the last two shortens a cold start
by more than half (docs/decisions).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from infra.bytecode import PYTHON_VERSION, compile_folder, interpreter
from infra.paths import BUILT_LAYERS, LAYERS

PLATFORMS = ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 35)))
"""Wheels for glibc up to 2.34: that of Amazon Linux 2023, on which Lambda runs Python 3.13 (AL2023 release notes)."""
SIZE_LIMIT_BYTES = 250 * 1024 * 1024
"""All layers and the function, unzipped (Lambda developer guide, quotas)."""

USED_SERVICES = frozenset(
    {
        "bedrock",
        "bedrock-runtime",
        "dynamodb",
        "ecr",
        "events",
        "lambda",
        "s3",
        "sagemaker",
        "sqs",
        "ssm",
        "stepfunctions",
        "sts",
    }
)


LAYER_NAMES = ("dependencies", "numeric", "scoring")
"""A function has the dependencies, and at most one of the others."""


def build_layer(name: str) -> Path:
    """Build one layer, unless what it is made from has not changed since.

    Raises:
        subprocess.CalledProcessError: pip could not find or fetch a wheel.
    """
    requirements = LAYERS / name / "requirements.txt"
    folder = BUILT_LAYERS / name
    stamp = BUILT_LAYERS / f"{name}.sha256"
    digest = sha256(requirements.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        if next(folder.rglob("*.pyc"), None) is None:
            _compile(folder)
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    packages = folder / "python"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-compile", "--only-binary=:all:", "--require-hashes", "--implementation", "cp"),
            *("--python-version", PYTHON_VERSION, "--target", str(packages), "--requirement", str(requirements)),
            *(word for platform in PLATFORMS for word in ("--platform", platform)),
        ],
        check=True,
    )
    trim(packages)
    _compile(folder)
    stamp.write_text(digest)
    return folder


def trim(packages: Path) -> None:
    """Leave out of installed packages what no function imports."""
    _trim_botocore(packages)
    _trim_tests(packages)
    _trim_lxml(packages)


def _trim_botocore(packages: Path) -> None:
    data = packages / "botocore" / "data"
    if data.is_dir():
        for service in data.iterdir():
            if service.is_dir() and service.name not in USED_SERVICES:
                shutil.rmtree(service)


def _trim_tests(packages: Path) -> None:
    """Leave out what no function imports: tests of the packages, stubs and headers for compilers."""
    for folder in [*packages.glob("**/tests"), *packages.glob("**/include"), *packages.glob("**/f2py")]:
        shutil.rmtree(folder, ignore_errors=True)
    # numpy's modules for its own tests, libyaml beside a reader in Python, bills of material of wheels.
    compiled = ("**/_*_tests.*.so", "**/_simd.*.so", "yaml/_yaml.*.so")
    for pattern in ("**/*.pyi", "**/*.pxd", "**/*.h", "**/*.a", "**/sboms/*", *compiled):
        for file in packages.glob(pattern):
            file.unlink()


def _trim_lxml(packages: Path) -> None:
    """Leave out lxml: sacrebleu imports it for test sets that it would fetch and read, which no function does."""
    folder = packages / "lxml"
    if not folder.is_dir():
        return
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "etree.py").write_text(_NO_LXML, encoding="utf-8")


_NO_LXML = '"""Stands in for lxml, which is left out: sacrebleu imports it for test sets, and none is read here."""\n'


def _compile(folder: Path) -> None:
    python = interpreter()
    if python is None:
        print(f"Python {PYTHON_VERSION} is not installed: no bytecode in the layers, functions start more slowly")  # noqa: T201
        return
    compile_folder(folder, python, "/opt")


def main() -> None:
    """Build all layers and check their size."""
    folders = [build_layer(name) for name in LAYER_NAMES]
    sizes = {folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) for folder in folders}
    print("layers: " + ", ".join(f"{folder.name} {size / 1e6:.0f} MB" for folder, size in sizes.items()))  # noqa: T201
    shared, *others = sizes.values()
    if shared + max(others) > SIZE_LIMIT_BYTES:
        sys.exit(f"a function's layers have {shared + max(others):,} bytes, Lambda takes {SIZE_LIMIT_BYTES:,}")


if __name__ == "__main__":
    main()
