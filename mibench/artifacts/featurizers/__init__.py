"""Featurizers as data: where a variable is in a network, and which features of the activation carry it."""
