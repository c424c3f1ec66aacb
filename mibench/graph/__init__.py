"""Node and edge names, index order, selection, pruning and counting, on arrays."""
