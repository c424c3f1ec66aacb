"""One declarative file per architecture family."""
