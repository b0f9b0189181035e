"""The learning rate of a recipe over its epochs."""
