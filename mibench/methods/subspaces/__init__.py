"""Subspaces in closed form: samples of activations at sites, directions, and transport between effects."""
