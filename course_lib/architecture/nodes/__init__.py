"""The vocabulary: frozen values, no torch, each with what it makes of a shape.

Values compare by content, can be keys of a dict, and never change: a rewrite returns a new value. What a value costs,
how it looks and which module it becomes is found elsewhere (`cost`, `diagram`, `build`), always from the same value.
"""
