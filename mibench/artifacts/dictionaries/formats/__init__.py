"""Foreign formats of dictionaries: each module says whether a path is its format, reads it, and writes it."""
