"""A lesson's exercises: enough of them, from its first third on, one of them open."""

from __future__ import annotations

import importlib
from pathlib import Path

from course_lib.authoring.notebooks import has_tag
from course_lib.teaching.exercises import Exercise
from course_lib.teaching.lessons import CHECK
from course_lib.teaching.sources import read_source

LEAST = 5


def test_exercises_are_enough_spread_and_one_is_open(lesson: Path) -> None:
    cells = read_source(lesson).cells
    checks = [
        (place, name)
        for place, cell in enumerate(cells)
        if cell.cell_type == "code" and has_tag(cell, "check")
        for name in CHECK.findall(cell.source)
    ]
    assert len({name for _, name in checks}) >= LEAST
    assert checks[0][0] <= len(cells) / 3, "one exercise stands in the first third"
    references = importlib.import_module(f"course_lib.teaching.references.{lesson.stem.partition('_')[2]}")
    exercises = [getattr(references, name) for _, name in checks]
    assert all(isinstance(exercise, Exercise) for exercise in exercises)
    assert any(exercise.judge for exercise in exercises), "one exercise is open"
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown").lower()
    assert "bug" in text, "one exercise is to find a planted bug"
