"""Datasets: reading, formats of the field, sampling, contamination."""
