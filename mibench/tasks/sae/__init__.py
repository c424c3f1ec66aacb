"""Tasks of the SAE track, one a file."""
