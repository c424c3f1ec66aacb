"""What runs the cells of a plan: one file an executor."""
