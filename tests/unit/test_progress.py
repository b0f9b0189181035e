"""Answers and passed exercises are kept for another day, in a file that never stands in the way."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_lib.teaching import Answer, Quiz, check_value
from course_lib.teaching.lessons import lesson_table
from course_lib.teaching.progress import (
    PROGRESS_FILE,
    Progress,
    keep_answer,
    keep_passed,
    read_progress,
    start_progress,
)

ANSWERS = [Answer("64 %", "one 3×3 only"), Answer("28 %", "18/25", correct=True)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a student's copies, in which the kernel runs."""
    monkeypatch.chdir(tmp_path)
    start_progress(tmp_path)
    return tmp_path


def test_a_quiz_shows_the_answer_of_the_day_before(folder: Path) -> None:
    Quiz("saving", "How much?", ANSWERS).answer(1)
    again = Quiz("saving", "How much?", ANSWERS)
    assert again.value == "28 %"
    assert "✓ Right." in again.feedback
    assert Quiz("another", "How much?", ANSWERS).value is None


def test_an_answer_that_the_lesson_no_longer_has_is_not_shown(folder: Path) -> None:
    keep_answer("saving", "a third")
    assert Quiz("saving", "How much?", ANSWERS).value is None


def test_what_is_stored_in_a_notebook_does_not_tell_the_answer(folder: Path) -> None:
    before = Quiz("saving", "How much?", ANSWERS)._repr_mimebundle_()
    Quiz("saving", "How much?", ANSWERS).answer(0)
    after = Quiz("saving", "How much?", ANSWERS)._repr_mimebundle_()
    assert (after["text/html"], after["text/plain"]) == (before["text/html"], before["text/plain"])


def test_passed_exercises_are_kept_once(folder: Path) -> None:
    for _ in range(2):
        check_value(28, 28, name="saving-value")
    assert read_progress() == Progress({}, ["saving-value"])


def test_without_a_file_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Quiz("saving", "How much?", ANSWERS).answer(1)
    check_value(28, 28, name="saving-value")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"quizzes": 3}', b'{"exercises": [3]}', b"\xff\xfe"])
def test_a_damaged_file_is_set_aside_with_a_word(
    folder: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        (folder / PROGRESS_FILE).write_bytes(content)
        assert read_progress() == Progress()
        assert f"is now progress.damaged-{number}.json" in capsys.readouterr().out
        assert (folder / f"progress.damaged-{number}.json").read_bytes() == content
        assert keep_answer("saving", "28 %") == ""
        assert json.loads((folder / PROGRESS_FILE).read_text())["quizzes"] == {"saving": "28 %"}


def test_a_file_that_cannot_be_written_is_said_beside_the_reason(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("course_lib.teaching.progress.write_whole", refuse)
    quiz = Quiz("saving", "How much?", ANSWERS)
    quiz.answer(1)
    assert "✓ Right." in quiz.feedback
    assert "progress.json cannot be written (No space left on device)" in quiz.feedback


def write_lesson(path: Path, cells: list[str], **header: object) -> None:
    course = {"title": "A lesson", "minutes_read": 25, "minutes_run": 2, **header}
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata={"course": course}), path)


def test_the_list_of_lessons_says_how_much_of_each_is_done(folder: Path) -> None:
    quizzes = ['Quiz(\n    "saving",\n    "How much?")', 'fold_answer("saving", table)', 'Quiz("grid", "Where?")']
    write_lesson(folder / "01_lesson.ipynb", [*quizzes, "exercises.pair_saving.check(pair_saving)"])
    write_lesson(folder / "02_other.ipynb", ['Quiz("other", "What?")'], title="Another")
    keep_answer("saving", "28 %")
    keep_answer("other", "1")
    keep_passed("pair-saving")
    assert "| [A lesson](01_lesson.ipynb) | 25 | 2 | 1 of 2 | 1 of 1 |" in lesson_table().data
    assert "| [Another](02_other.ipynb) | 25 | 2 | 1 of 1 | 0 of 0 ✓ |" in lesson_table().data
    keep_answer("grid", "14")
    assert "| 2 of 2 | 1 of 1 ✓ |" in lesson_table().data
