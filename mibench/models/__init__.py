"""Catalogue, loading, and one adapter file per architecture family."""
