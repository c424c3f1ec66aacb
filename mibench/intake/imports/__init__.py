"""Other layouts of results, turned into submissions."""
