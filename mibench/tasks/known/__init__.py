"""Tasks of the models whose mechanism is known: their prompts come from programs with small vocabularies."""
