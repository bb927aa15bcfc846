"""Scorers: what an answer is worth, each with a version and a signature."""
