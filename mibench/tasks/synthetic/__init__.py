"""Activations made of known features: what a dictionary should find is known exactly."""
