"""Plan, execute, meter, provenance."""
