"""Sparse dictionaries at work: encode, decode, reconstruct."""
