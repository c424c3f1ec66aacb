"""How dictionaries are scored, one family of metrics a file."""
