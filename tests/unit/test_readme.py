"""The README says what is there: each lesson with its minutes, each command of the Makefile, files that exist."""

from __future__ import annotations

import re
from pathlib import Path

from course_lib.teaching.lessons import find_lessons

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_lessons_stand_with_their_minutes() -> None:
    rows = [
        f"| [{lesson.title}](notebooks/{lesson.notebook}) | {lesson.minutes_read} | {lesson.minutes_run} |"
        for lesson in find_lessons(ROOT / "notebooks")
    ]
    assert re.findall(r"^\| \[.*$", README, re.MULTILINE) == rows


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))
    assert named
    assert named <= targets


def test_linked_files_exist() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    assert linked
    assert [path for path in linked if not (ROOT / path).is_file()] == []
