"""Alerts: whom to tell what, once, until somebody has it."""
