"""Attributes of cities (RAVEL): one entity, three facts, and which one is asked."""
