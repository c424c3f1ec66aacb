"""Methods that train or build sparse dictionaries, one a file."""
