"""The course's own errors have one base, so that a caller can catch them all and nothing else."""


class CourseError(ValueError):
    """Something given to the course does not fit; the message names the thing, what is wrong and what would be right."""
