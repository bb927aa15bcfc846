"""Peers in environments of their own, which do not fit ours: made under ``build/peers`` when they are first asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3] / "build" / "peers"
PEERS = {
    "evidently": ["evidently==0.7.23", "pandas<3"],
    "nannyml": ["nannyml==0.13.1", "statsmodels<0.15"],
}
_QUIET = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}


class PeerMissingError(Exception):
    """A peer could not be installed or does not run here; the text says why."""


def ask(peer: str, folder: Path) -> dict[str, list[list[bool]]]:
    """Return the alarms of each way of a peer, a list for each stream.

    Raises:
        PeerMissingError: It cannot be installed, or it fails.
    """
    python = ROOT / peer / "bin" / "python"
    if not python.exists():
        _run(peer, [sys.executable, "-m", "venv", str(ROOT / peer)])
        _run(peer, [str(python), "-m", "pip", "install", "-q", *PEERS[peer]])
    script = Path(__file__).with_name(f"{peer}_peer.py")
    told: dict[str, list[list[bool]]] = json.loads(_run(peer, [str(python), str(script), str(folder)]).splitlines()[-1])
    return told


def _run(peer: str, command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **_QUIET})
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise PeerMissingError(f"{peer} does not run here: {' '.join(reason)[:200]}")
    return done.stdout
