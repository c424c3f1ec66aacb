"""Cells of the causal-variable track."""
