"""The one error that loading or cutting a data set raises."""


class DatasetError(Exception):
    """A data set cannot be had as asked; the message names the path or argument and the remedy."""
