"""A trained network made fast for use, with the same answers."""
