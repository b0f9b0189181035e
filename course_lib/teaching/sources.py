"""The course's notebooks and their sources: which there are, and what stands in one."""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_lib.errors import CourseError

SOURCE_PATTERN = "[0-9][0-9]*_*.py"
NOTEBOOK_PATTERN = "[0-9][0-9]*_*.ipynb"
"""Two digits and, for a further part of a lesson, a letter: 07_topic, 07b_topic, 08_topic sort in this order."""


class NotebookError(CourseError):
    """A notebook that could not be read or made; the message names the notebook and what was wrong with it."""


def find_sources(folder: Path) -> list[Path]:
    """The notebooks' sources in `folder`, in the order of the course."""
    return sorted(folder.glob(SOURCE_PATTERN))


def source_text(source: Path) -> str:
    r"""The text of a source as its author sees it: without a byte order mark, each line ended by `\n`."""
    try:
        return source.read_text(encoding="utf-8-sig")  # reads \r\n as \n, so a clone for Windows is the same text
    except OSError as error:
        raise NotebookError(f"{source}: cannot be read ({error.strerror}); name a notebook's .py file") from error
    except UnicodeDecodeError as error:
        raise NotebookError(f"{source}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error


def read_source(source: Path) -> NotebookNode:
    """The cells and metadata of a source; raises NotebookError if it is missing or its header cannot be read."""
    text = source_text(source)
    try:
        return jupytext.reads(text, fmt="py:percent")
    except Exception as error:  # the header is YAML; its parser raises many classes
        raise NotebookError(f"{source}: its header cannot be read: {error}") from error


def read_notebook(path: Path) -> NotebookNode:
    """The notebook in an .ipynb file; raises NotebookError with a reason of one line if it holds none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotebookError(f"{path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotebookError(f"{path.name} cannot be read: it is not UTF-8 (byte {error.start})") from error
    if not text.strip():
        raise NotebookError(f"{path.name} cannot be read: the file is empty")
    if any(line.startswith("<<<<<<< ") for line in text.splitlines()):
        raise NotebookError(f"{path.name} cannot be read: it holds the marks of a merge conflict")
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat meets other JSON with AttributeError, KeyError, TypeError and its own
        raise NotebookError(f"{path.name} cannot be read: the file is not a notebook") from error
    return notebook
