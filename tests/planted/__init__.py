"""A transformer whose causal variables were put in by hand: where they live, and in which subspace, is known."""
