"""The course's own errors have one base, so that a caller can catch them all and nothing else."""


class CourseError(ValueError):
    """Something that the course was given does not fit; the message names it, what is wrong and what would be right."""
