"""The package as a wheel, for SageMaker Processing: built offline, the same bytes from the same sources."""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.paths import LAYERS, ROOT

BUILT_WHEELS = ROOT / "build" / "wheel"
_PACKAGE = LAYERS / "hallmark" / "python" / "hallmark"
_SECONDS = 120
_NAMED_DIGITS = 16


class WheelError(Exception):
    """The wheel cannot be built; the message says what the builder said."""


def build_wheel() -> Path:
    """Return the folder that holds the wheel of the package, and nothing else; it is built where it is not there.

    Raises:
        WheelError: It cannot be built.
    """
    sources = [
        ROOT / "pyproject.toml",
        ROOT / "README.md",
        *sorted(file for file in _PACKAGE.rglob("*") if file.is_file() and file.suffix != ".pyc"),
    ]
    digest = sha256(repr([(str(file.relative_to(ROOT)), file.read_bytes()) for file in sources]).encode()).hexdigest()
    folder = BUILT_WHEELS / digest[:_NAMED_DIGITS]
    if folder.is_dir():
        return folder
    BUILT_WHEELS.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=BUILT_WHEELS) as draft:
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", draft]
        built = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=_SECONDS)
        if built.returncode:
            raise WheelError(f"the wheel cannot be built: {built.stderr.strip() or built.stdout.strip()}")
        shutil.copytree(draft, folder, dirs_exist_ok=True)
    return folder
