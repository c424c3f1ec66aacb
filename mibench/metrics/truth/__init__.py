"""How well scores agree with what is known of a model."""
