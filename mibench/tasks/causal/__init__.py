"""Causal models of tasks: what the variables are, and what an interchange of them should do."""
