"""Pure functions of arrays: scores, areas, intervals."""
