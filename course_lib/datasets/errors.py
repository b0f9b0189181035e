"""The one error that loading or cutting a data set raises."""

from course_lib.errors import CourseError


class DatasetError(CourseError):
    """A data set cannot be had as asked; the message names the path or argument and the remedy."""
