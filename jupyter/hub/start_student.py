"""What JupyterHub runs for a student: makes the student's copies of the lessons, then becomes the notebook server.

    python start_student.py COURSE_FOLDER COPIES_FOLDER [options of the server]

It runs as the student, so all that it writes is the student's own. A copy that is there is never overwritten.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from course_lib.authoring.student import write_copies


def main(course: Path, copies: Path, options: list[str]) -> None:
    """Does not return: the process goes on as the server, or ends with a sentence that JupyterHub's log shows."""
    lessons = sorted(course.glob("*.ipynb"))
    if not lessons:
        sys.exit(f"{course} holds no lessons (*.ipynb): name the course's notebooks/ in jupyterhub_config.py.")
    writable = [path for path in (course, *lessons) if os.access(path, os.W_OK)]
    if writable:
        sys.exit(
            f"{writable[0]} can be changed by its students: give it to another user, take the others' right to write "
            "(chmod -R go-w), and never let students be root."
        )
    try:
        write_copies(lessons, copies)
    except (OSError, ValueError) as error:
        sys.exit(f"The student's copies cannot be made: {error}")
    os.execv(sys.executable, [sys.executable, "-m", "jupyterhub.singleuser", *options])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).expanduser(), sys.argv[3:])
