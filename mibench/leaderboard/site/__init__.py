"""The static site: pages, style, scripts and pictures, all from the records, none of which asks the network."""
