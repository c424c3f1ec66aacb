"""Featurizers in torch: interchange interventions on features, differentiable in activations and parameters."""
