"""The tables in formats for other programs; one format a file."""
