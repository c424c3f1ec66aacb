"""Submission manifests and checks."""
