"""Monitors: what is watched in production, and when it has drifted."""
