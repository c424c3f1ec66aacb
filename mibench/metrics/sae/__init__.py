"""Metrics of sparse dictionaries, one family a file."""
