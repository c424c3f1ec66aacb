"""The exact core: capture, patch, attribute, evaluate."""
