"""What a student has answered and solved, kept from one day to the next in one small file beside the student's copies.

The file is made together with the copies, and where there is none nothing is kept: a lecturer's masters, builds and
tests neither leave nor find answers. It never goes into a notebook. Deleting it forgets everything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from course_lib.files import write_whole

PROGRESS_FILE = "progress.json"


@dataclass
class Progress:
    """The text of the answer last checked in each quiz, by the quiz's name, and the names of exercises passed."""

    quizzes: dict[str, str] = field(default_factory=dict)
    exercises: list[str] = field(default_factory=list)


def start_progress(folder: Path) -> None:
    """Make an empty progress file in `folder` unless there is one; raises OSError if it cannot be written."""
    if not (folder / PROGRESS_FILE).exists():
        _write(folder / PROGRESS_FILE, Progress())


def read_progress(folder: Path = Path(".")) -> Progress | None:
    """What is kept in `folder`, by default the kernel's; None if nothing is kept there.

    A file that cannot be understood is renamed, never deleted, and a line is printed that says so.
    """
    path = folder / PROGRESS_FILE
    try:
        return _parse(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except OSError as error:
        print(f"{path} cannot be read ({error.strerror}): earlier answers are not shown")
        return None
    except ValueError:  # neither UTF-8 nor JSON, or of another structure
        aside = _free_name(path)
        path.rename(aside)
        print(f"{path} was damaged and is now {aside.name}: earlier answers are not shown, new ones are kept again")
        start_progress(folder)
        return Progress()


def keep_answer(quiz: str, text: str) -> str:
    """Keep the answer checked in a quiz; returns a sentence for the student if it cannot be kept, else ""."""
    return _change(lambda progress: progress.quizzes.update({quiz: text}))


def keep_passed(exercise: str) -> str:
    """Keep that an exercise was passed; returns a sentence for the student if it cannot be kept, else ""."""

    def add(progress: Progress) -> None:
        if exercise not in progress.exercises:
            progress.exercises.append(exercise)

    return _change(add)


def _change(change: Callable[[Progress], Any]) -> str:
    path = Path(PROGRESS_FILE)
    try:
        progress = read_progress()  # anew each time: another lesson's kernel may have written meanwhile
        if progress is not None:
            change(progress)
            _write(path, progress)
    except OSError as error:
        return f"This is not kept for another day: {path.absolute()} cannot be written ({error.strerror})."
    return ""


def _write(path: Path, progress: Progress) -> None:
    write_whole(path, f"{json.dumps(asdict(progress), indent=1, ensure_ascii=False)}\n".encode())


def _parse(text: str) -> Progress:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("a progress file holds an object")
    quizzes, exercises = content.get("quizzes", {}), content.get("exercises", [])
    if not isinstance(quizzes, dict) or not isinstance(exercises, list):
        raise ValueError("quizzes are an object and exercises a list")
    if not all(isinstance(text, str) for text in [*quizzes.values(), *exercises]):
        raise ValueError("answers and names are texts")
    return Progress(quizzes, exercises)


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")).exists():
        number += 1
    return aside
