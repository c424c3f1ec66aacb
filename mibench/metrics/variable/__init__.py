"""Metrics of the causal-variable track: interchange intervention accuracy, from per-example tables."""
