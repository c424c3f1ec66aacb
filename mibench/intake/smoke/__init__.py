"""Artifacts on a few public rows: warnings of what passes every check of shapes and yet looks wrong."""
