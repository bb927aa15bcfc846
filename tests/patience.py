"""How long tests wait for what must come."""

from __future__ import annotations

PATIENCE_SECONDS = 120.0
"""A wait ends as soon as its condition holds; a busy machine of two cores may need a hundred times the usual time."""
