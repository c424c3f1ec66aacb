"""Run a command where it can do no harm: no network, a file system of its own, limits."""
