"""The planted programs, one a file."""
