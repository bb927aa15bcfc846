"""What is packed into functions and layers. Nothing here needs Docker or, once ``make layers`` ran, a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from infra.bytecode import PYTHON_VERSION, compile_folder, interpreter
from infra.paths import BUILT_LAYERS, FUNCTIONS, LAYERS, ROOT

BUILT_CODE = ROOT / "build" / "code"

_NEVER_SHIPPED = ["**/__pycache__", "**/*.pyc", "**/.mypy_cache", "**/tests"]


class Platform(StrEnum):
    """Where the functions run."""

    AWS = "aws"
    """Lambda on arm64; the dependencies come in layers that ``make layers`` builds."""
    LOCAL = "local"
    """The local cloud, whose interpreter has the dependencies installed already."""


class MissingAssetError(Exception):
    """Something that must be built before synthesis is not there."""


def function_code(name: str, platform: Platform) -> lambda_.Code:
    """Return the code of ``functions/<name>``."""
    return _own_code(FUNCTIONS / name, platform, "/var/task")


def hallmark_layer_code(platform: Platform) -> lambda_.Code:
    """Return the shared package without its command-line tool."""
    return _own_code(LAYERS / "hallmark", platform, "/opt", leave_out=("python/hallmark/cli",))


def _own_code(source: Path, platform: Platform, deployed_at: str, leave_out: Sequence[str] = ()) -> lambda_.Code:
    """Return a folder of ours as an asset: for AWS with bytecode, where the Python is installed that can make it."""
    python = interpreter() if platform is Platform.AWS else None
    if python is None:
        exclude = [*_NEVER_SHIPPED, *leave_out, *(f"{folder}/**" for folder in leave_out)]
        return lambda_.Code.from_asset(str(source), exclude=exclude, ignore_mode=cdk.IgnoreMode.GLOB)
    files = {
        file.relative_to(source).as_posix(): file.read_bytes()
        for file in sorted(source.rglob("*"))
        if file.is_file() and not _is_left_out(file.relative_to(source), leave_out)
    }
    # The digest of the sources is the asset's: bytecode may differ from one run of the compiler to the next.
    digest = sha256(repr([deployed_at, PYTHON_VERSION, *files.items()]).encode()).hexdigest()
    folder = BUILT_CODE / digest[:_FOLDER_DIGITS]
    if not folder.is_dir():
        _write_compiled(folder, files, python, deployed_at)
    return lambda_.Code.from_asset(str(folder), asset_hash=digest)


_FOLDER_DIGITS = 16


def _is_left_out(path: Path, leave_out: Sequence[str]) -> bool:
    within = {"__pycache__", ".mypy_cache", "tests"} & set(path.parts)
    return bool(within) or path.suffix == ".pyc" or path.as_posix().startswith(tuple(f"{name}/" for name in leave_out))


def _write_compiled(folder: Path, files: Mapping[str, bytes], python: str, deployed_at: str) -> None:
    """Write files and their bytecode; the folder is there whole or not at all, whoever writes the same meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as draft:
        for name, content in files.items():
            file = Path(draft) / "code" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        compile_folder(Path(draft) / "code", python, deployed_at)
        try:
            (Path(draft) / "code").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def built_layer_code(name: str) -> lambda_.Code:
    """Return a layer of third-party packages that was built for Lambda.

    Raises:
        MissingAssetError: It has not been built.
    """
    folder = BUILT_LAYERS / name
    if not (folder / "python").is_dir():
        raise MissingAssetError(f"{folder} is missing: run `make layers` once (it needs the network), then try again")
    return lambda_.Code.from_asset(str(folder))
