"""Activations of text at hook points: reading, storing, splicing back in."""
