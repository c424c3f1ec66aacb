"""File formats of circuit scores, one module each: ``read(path, wanted)`` and ``write(scores, path)``."""
