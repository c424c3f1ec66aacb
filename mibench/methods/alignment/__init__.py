"""What trained methods of the causal-variable track share: maps, gates, the training loop, the choice on validation."""
