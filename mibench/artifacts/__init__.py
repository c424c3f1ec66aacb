"""What methods hand in: data, never code. Circuit scores and their file formats."""
