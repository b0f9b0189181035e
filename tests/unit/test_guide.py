"""The lecturer's guide, its parts on small lessons."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib.authoring.guide import guide_page, main, read_guide
from course_lib.authoring.quiz_outputs import questions_of
from course_lib.authoring.site.first_values import SiteError
from course_lib.authoring.training_cells import training_cells
from course_lib.teaching import Answer, Quiz
from course_lib.teaching.lessons import Lesson

LESSON = Lesson("A lesson", 10, 2, "01_a.ipynb")
PLAN = "# A lesson\n\n| For a lecture hour | minutes |\n|:--|--:|\n| First | 20 |\n| Then `x` | 40 |\n\nMore."
ANSWERS = [Answer("Half", "One of two.", correct=True), Answer("All & more", "None is left.")]


def quiz_cell() -> NotebookNode:
    made = Quiz("halves", "How much?", ANSWERS)
    output = new_output("execute_result", {"text/html": made._static_html(), "text/plain": repr(made)})
    return new_code_cell("Quiz(...)", outputs=[output])


def cells(*sources: str) -> list[NotebookNode]:
    return [new_code_cell(source) for source in sources]


def test_the_answers_of_a_stored_quiz_are_read_as_they_were_written() -> None:
    (question,) = questions_of([new_markdown_cell("Text"), quiz_cell()])
    assert question.text == "How much?"
    assert list(question.answers) == ANSWERS


def test_a_guide_is_read_from_header_and_cells() -> None:
    training = new_code_cell("model = fit(network, data, recipe)")
    exercise = new_markdown_cell("### Exercise 1 · Count (easy, 5 minutes)\n\nCount.")
    text = new_markdown_cell("## Part\n\nText.")
    guide = read_guide(LESSON, new_notebook(cells=[new_markdown_cell(PLAN), quiz_cell(), text, training, exercise]))
    assert guide.plan == (("First", 20), ("Then `x`", 40))
    assert guide.exercises == (("Exercise 1 · Count", "easy", 5),)
    assert guide.trainings == (("Part", "model = fit(network, data, recipe)"),)
    page = guide_page(guide)
    for part in ("60 minutes", "<code>x</code>", "All &amp; more. None is left.", "✓ Right.</span> One of two."):
        assert part in page


@pytest.mark.parametrize(
    ("first", "others", "sentence"),
    [("# A lesson", [quiz_cell()], "no table with the head “For a lecture hour”"), (PLAN, [], "it asks no question")],
)
def test_a_lesson_without_plan_or_question_is_refused(first: str, others: list[NotebookNode], sentence: str) -> None:
    with pytest.raises(SiteError, match=rf"^01_a\.ipynb: .*{sentence}"):
        read_guide(LESSON, new_notebook(cells=[new_markdown_cell(first), *others]))


def test_a_cell_that_trains_is_told_from_one_that_only_defines_or_reads() -> None:
    lesson = cells(
        "from course_lib.reporting.records import load_record",
        "def train(model):\n    return fit(model, data, recipe)",
        "def twice(model):\n    return train(train(model))",
        "record = load_record('x')",
        "%matplotlib inline\nfor model in models:\n    twice(model)",
        "loop = TrainingLoop(model)",
    )
    assert list(training_cells(lesson)) == [(4, "twice(model)"), (5, "loop = TrainingLoop(model)")]


def test_a_function_of_the_course_that_trains_is_known() -> None:
    lesson = cells(
        "from course_lib.authoring.guide import build\nbuild(a, b)",
        "from course_lib.training import fit",
        "fit(m, d, r)",
    )
    assert list(training_cells(lesson)) == [(2, "fit(m, d, r)")]


def test_a_folder_without_lessons_gives_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--notebooks", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "holds no lessons" in capsys.readouterr().err
