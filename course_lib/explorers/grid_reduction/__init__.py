"""Four ways to halve a grid, and what each costs."""
