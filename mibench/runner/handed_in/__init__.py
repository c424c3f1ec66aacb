"""Artifacts that are handed in, found, read and scored."""
