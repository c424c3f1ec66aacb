"""Texts that activations are read on, one a file."""
