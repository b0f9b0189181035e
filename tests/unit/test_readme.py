"""The README says what is there: each lesson with its minutes, each command of the Makefile, files that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from course_lib.reporting.records import load_record
from course_lib.teaching.lessons import find_lessons

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SCREEN_LINES = 45


def test_lessons_stand_with_their_minutes() -> None:
    rows = [
        f"| [{lesson.title}](notebooks/{lesson.notebook}) | {lesson.minutes_read} | {lesson.minutes_run} |"
        for lesson in find_lessons(ROOT / "notebooks")
    ]
    assert re.findall(r"^\| \[.*$", README, re.MULTILINE) == rows


def test_the_memory_of_a_students_kernel_is_the_recorded() -> None:
    most = load_record("kernel_memory").rows[[f"{state}_private_gb" for state in ("idle", "imported", "peak")]].max()
    said = re.search(r"A kernel takes ([\d.]+) GB .* ([\d.]+) GB .* ([\d.]+) GB while a lesson runs", README).groups()
    assert said == tuple(f"{number:.2f}" for number in most)


def test_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))
    assert named
    assert named <= targets


def test_linked_files_exist() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    assert linked
    assert [path for path in linked if not (ROOT / path).is_file()] == []


def tracked_folders(root: Path) -> set[str]:
    """Folders in `root` that hold tracked files, as "name/"."""
    listed = subprocess.run(["git", "ls-files", "--", "."], cwd=root, capture_output=True, text=True, check=True).stdout
    return {f"{line.split('/')[0]}/" for line in listed.splitlines() if "/" in line}


def test_the_plan_of_folders_is_complete_and_true() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: which files belong to the course is not known here")
    plan = README.partition("```text\n")[2].partition("```")[0]
    outer = set(re.findall(r"^([a-z_]+/)", plan, re.MULTILINE))
    inner = set(re.findall(r"^ {4}([a-z_]+/)", plan, re.MULTILINE))
    assert outer == {folder for folder in tracked_folders(ROOT) if not folder.startswith(".")}
    assert inner == tracked_folders(ROOT / "course_lib")
    for folder in ("data", "jupyter", "tests"):
        named = set(re.findall(r"([a-z_]+/)", re.search(rf"^{folder}/(.*)$", plan, re.MULTILINE)[1]))
        assert named == tracked_folders(ROOT / folder)


def test_the_page_for_newcomers_fits_a_screen_and_names_files_that_exist() -> None:
    assert len(CONTRIBUTING.splitlines()) <= SCREEN_LINES
    for thing in ("node", "network", "lesson", "explorer", "record"):
        assert re.search(rf"^\*\*An? {thing}\*\*", CONTRIBUTING, re.MULTILINE)
    paths = re.findall(r"`([a-z_]+(?:/[\w.]+)+/?)`", CONTRIBUTING)
    named = [path for path in paths if path == path.lower()]  # NAME, IDEA and NN stand for what is added
    assert named
    rooms = (ROOT, ROOT / "course_lib", ROOT / "course_lib/architecture")
    assert [path for path in named if not any((room / path).exists() for room in rooms)] == []
