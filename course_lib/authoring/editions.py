"""What the editions for a browser (site, slides, guide) share: the lessons they show, their folder, their command."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from course_lib.authoring.site.first_values import SiteError
from course_lib.errors import CourseError
from course_lib.files import write_whole
from course_lib.teaching.lessons import Lesson, find_lessons

INDEX = "index.html"
"""The first page of an edition."""


def lessons_in(notebooks: Path) -> list[Lesson]:
    """The lessons in a folder of notebooks; raises SiteError if there are none."""
    lessons = find_lessons(notebooks)
    if not lessons:
        raise SiteError(f"{notebooks} holds no lessons: name the folder of the notebooks.")
    return lessons


def write_edition(out: Path, files: Mapping[str, str]) -> None:
    """Write an edition's files by their names into `out`, which is emptied before.

    Raises:
        SiteError: `out` holds something that no edition has written; nothing is lost then.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / INDEX).exists():
        raise SiteError(f"{out} would be emptied, and holds no edition of the course: name a folder of its own.")
    shutil.rmtree(out, ignore_errors=True)
    for name, text in files.items():
        write_whole(out / name, text.encode())


def edition_parser(name: str, doc: str) -> argparse.ArgumentParser:
    """The command line of the edition `name`, described by the first line of `doc`."""
    parser = argparse.ArgumentParser(prog=f"python -m course_lib.authoring.{name}", description=doc.partition("\n")[0])
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build") / name, help="folder to write (%(default)s)")
    return parser


def make_edition(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    make: Callable[[argparse.Namespace], str],
) -> int:
    """Run a command line: `make` writes the edition and says what it wrote.

    Returns the exit status, 1 after one sentence on standard error.
    """
    options = parser.parse_args(arguments)
    try:
        print(make(options))
    except (CourseError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
