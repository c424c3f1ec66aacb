"""Cells of the SAE track."""
