"""Records made, computed or compared again."""
