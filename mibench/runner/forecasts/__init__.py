"""Time and memory of jobs before they are run."""
