"""SAEBench's result files: their schema, writing records as such files, and reading those of others."""
