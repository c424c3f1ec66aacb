"""Interchange interventions: activations of a source prompt put into the run on a base prompt."""
