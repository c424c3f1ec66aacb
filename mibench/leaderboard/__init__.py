"""Records become tables and a static page."""
