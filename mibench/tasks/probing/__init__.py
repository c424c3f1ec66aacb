"""Labelled texts for probes: sets written for mibench, and those of the package sae-probes."""
