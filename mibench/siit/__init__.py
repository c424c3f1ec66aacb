"""Models that are trained to have a known mechanism (strict interchange-intervention training)."""
