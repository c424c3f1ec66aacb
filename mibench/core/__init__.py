"""Specs, names, hashing, files and errors; imports nothing heavy."""
