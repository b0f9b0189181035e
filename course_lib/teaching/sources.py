"""The sources of the course's notebooks: which there are, and what stands in one."""

from __future__ import annotations

from pathlib import Path

import jupytext
from nbformat import NotebookNode

from course_lib.errors import CourseError

SOURCE_PATTERN = "[0-9][0-9]_*.py"


class NotebookError(CourseError):
    """A notebook that could not be made; the message names the notebook, the cell and the exception."""


def find_sources(folder: Path) -> list[Path]:
    """The notebooks' sources in `folder`, in the order of the course."""
    return sorted(folder.glob(SOURCE_PATTERN))


def read_source(source: Path) -> NotebookNode:
    """The cells and metadata of a source; raises NotebookError if it is missing or its header cannot be read."""
    try:
        return jupytext.read(source, fmt="py:percent")
    except OSError as error:
        raise NotebookError(f"{source}: cannot be read ({error.strerror}); name a notebook's .py file") from error
    except Exception as error:  # the header is YAML; its parser raises many classes
        raise NotebookError(f"{source}: its header cannot be read: {error}") from error
