"""Compiled bytecode for Lambda's Python, made where that Python is installed: it halves the time of a cold start.

The hash within each file is not checked when it is loaded, so the times of a zip's files do not count and Lambda never
compiles again (PEP 552, unchecked hash-based files).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PYTHON_VERSION = "3.13"
_SECONDS = 20


@cache
def interpreter() -> str | None:
    """Return a Python of Lambda's version: this one, that of the path, of pyenv or of uv; None where there is none."""
    return next((found for found in _candidates() if _told_by(found, "-c", _TELL_VERSION) == PYTHON_VERSION), None)


_TELL_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def _candidates() -> Iterator[str]:
    yield sys.executable
    yield f"python{PYTHON_VERSION}"
    root = _told_by("pyenv", "root")
    if root:
        yield from map(str, sorted(Path(root).glob(f"versions/{PYTHON_VERSION}.*/bin/python"), reverse=True))
    yield _told_by("uv", "python", "find", "--no-python-downloads", PYTHON_VERSION)


def _told_by(*command: str) -> str:
    """Return what a command prints; nothing where it is not there or fails."""
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def compile_folder(folder: Path, python: str, deployed_at: str) -> None:
    """Compile all modules of a folder.

    Files that are no Python of this version (packages ship some, as templates) stay without bytecode.

    Args:
        folder: Its ``__pycache__`` folders are written.
        python: The interpreter, of the version that will run the modules.
        deployed_at: Where the folder will lie (``/opt``): the same sources give the same bytecode wherever it is made.
    """
    words = [python, "-m", "compileall", "-qq", "-f", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*words, "-s", str(folder), "-p", deployed_at, str(folder)], check=False, capture_output=True)
