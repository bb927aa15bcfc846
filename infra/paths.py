"""Where things are in the repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTIONS = ROOT / "functions"
LAYERS = ROOT / "layers"
BUILT_LAYERS = ROOT / "build" / "layers"
WORKFLOWS = ROOT / "infra" / "workflows"
