"""Words with a concept each, in prompts: their first letters, or what kind of thing they are."""
