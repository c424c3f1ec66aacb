"""The kinds of operations that featurizers are made of, one module each."""
