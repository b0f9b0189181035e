"""The workflow for a department's repository calls commands that exist, on the Pythons that the course allows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".github/workflows/course.yml").read_text(encoding="utf-8")
JOBS = yaml.safe_load(TEXT)["jobs"]


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_every_check_runs_on_two_pythons_from_the_oldest_on() -> None:
    pythons = JOBS["test"]["strategy"]["matrix"]["python"]
    assert commands("test") == ["make test"]
    assert len(set(pythons)) == 2
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))[1]
    assert min(pythons, key=version) == oldest


def test_pages_are_published_only_after_the_checks() -> None:
    assert JOBS["pages"]["needs"] == "test"
    assert commands("pages")[0] == "make site"
    published = [step["with"]["path"] for step in JOBS["pages"]["steps"] if "upload-pages" in step.get("uses", "")]
    assert published == ["build/site"]


@pytest.mark.parametrize("job", JOBS)
def test_each_command_of_make_exists(job: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = {command.split()[1] for command in commands(job) if command.startswith("make ")}
    assert called
    assert called <= targets
