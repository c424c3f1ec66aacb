"""What a cell is, and how one is run: model and examples, meters, floors, limits, its record."""
