"""A smoothed label against a prediction, class by class."""
