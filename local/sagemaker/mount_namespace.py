"""``/opt/ml`` at its real place: a mount namespace of the process's own, where Linux grants one without privileges.

Scripts often name ``/opt/ml/...`` in their text, where nothing can replace it. In a user and mount namespace
(util-linux ``unshare``) the job's folder is mounted there, for this process and its children alone. Where that is
refused (macOS, hardened kernels, containers without the right) only arguments and variables are mapped.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_LOGGER = logging.getLogger(__name__)
_PROBE_SECONDS = 10
# /opt may be empty, or hold the interpreter: what is there stays there, beside /opt/ml.
_MOUNT = """
set -e
root=$1; folder=$2; shift 2
stage=$root/.opt
mkdir -p "$stage"
mount -t tmpfs tmpfs "$stage"
for entry in /opt/*; do
    name=${entry##*/}
    if [ -d "$entry" ] && [ "$name" != ml ]; then mkdir "$stage/$name"; mount --rbind "$entry" "$stage/$name"; fi
    if [ -f "$entry" ]; then touch "$stage/$name"; mount --bind "$entry" "$stage/$name"; fi
done
mkdir "$stage/ml"
mount --bind "$root/opt/ml" "$stage/ml"
mount --rbind "$stage" /opt
cd "$folder"
exec "$@"
"""


def in_namespace(arguments: Sequence[str], root: Path, working_directory: str = "/opt/ml") -> list[str]:
    """Return the command that runs ``arguments`` with ``root/opt/ml`` mounted at ``/opt/ml``."""
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "--"]
    return [*unshare, "/bin/sh", "-c", _MOUNT, "opt-ml", str(root), working_directory, *arguments]


@cache
def is_available(scratch: Path) -> bool:
    """Tell whether this machine lets a process mount a folder at ``/opt/ml``; tried once, in ``scratch``."""
    if shutil.which("unshare") is None or not Path("/opt").is_dir():
        return False
    root = scratch / ".namespace-probe"
    (root / "opt" / "ml").mkdir(parents=True, exist_ok=True)
    (root / "opt" / "ml" / "seen").touch()
    try:
        probe = subprocess.run(
            in_namespace(["test", "-f", "/opt/ml/seen"], root),
            check=False,
            capture_output=True,
            timeout=_PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if probe.returncode != 0:
        _LOGGER.info("scripts must not name /opt/ml in their text: %s", probe.stderr.decode(errors="replace").strip())
    return probe.returncode == 0
