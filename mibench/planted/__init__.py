"""Models whose weights are written by hand, so that their mechanism is known."""
