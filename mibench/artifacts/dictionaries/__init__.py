"""Sparse dictionaries as data: what the SAE track scores."""
