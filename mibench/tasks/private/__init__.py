"""Private splits of a shared task: made with a secret salt, committed to, and laid over the public test data."""
