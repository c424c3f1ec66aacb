"""TransformerLens models that are published as pickles, such as MIB's InterpBench: read as data, converted once."""
