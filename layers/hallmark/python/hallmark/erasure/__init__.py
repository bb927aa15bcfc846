"""Erasure: who people are lies apart from what is recorded of them, and can be destroyed."""
