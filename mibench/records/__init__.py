"""Record schema, migrations and the content-addressed store."""
