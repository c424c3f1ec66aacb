"""An artifact and a split give a per-example table, and that gives metrics."""
