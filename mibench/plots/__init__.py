"""Pictures by matplotlib; no torch."""
