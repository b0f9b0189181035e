"""A quiz accepts only well-formed questions, answers back, and reads well where no kernel runs."""

import html
import subprocess
import sys

import nbformat
import pytest
from nbconvert import HTMLExporter

from course_lib.teaching import Answer, Quiz

RIGHT = Answer("28 %", "18/25 = 0.72 of the cost is left", correct=True)
WRONG = Answer("64 %", "that is 9/25, the cost of one 3x3, and there are two")


@pytest.fixture
def quiz() -> Quiz:
    return Quiz("stacked-3x3-saving", "How much does the pair save?", [WRONG, RIGHT])


def test_nothing_is_chosen_before_the_reader_chooses(quiz: Quiz) -> None:
    assert quiz.value is None
    assert RIGHT.reason not in quiz.feedback


def test_a_wrong_answer_gets_its_reason_and_can_be_tried_again(quiz: Quiz) -> None:
    assert not quiz.answer(0)
    assert quiz.value == "64 %"
    assert "✗ Not right." in quiz.feedback
    assert html.escape(WRONG.reason) in quiz.feedback
    assert quiz.answer(1)
    assert "✓ Right." in quiz.feedback
    assert RIGHT.reason in quiz.feedback
    assert WRONG.reason not in quiz.feedback


def test_choosing_another_answer_takes_the_old_reason_away(quiz: Quiz) -> None:
    quiz.answer(0)
    quiz._choices.index = 1
    assert WRONG.reason not in quiz.feedback


def test_checking_without_a_choice_asks_for_one(quiz: Quiz) -> None:
    quiz._check_button.click()
    assert "Choose an answer first." in quiz.feedback


def test_feedback_is_announced_politely(quiz: Quiz) -> None:
    quiz.answer(0)
    assert 'aria-live="polite"' in quiz.feedback


@pytest.mark.parametrize("index", [-1, 2])
def test_an_answer_that_does_not_exist_is_refused(quiz: Quiz, index: int) -> None:
    with pytest.raises(IndexError, match="answers 0 to 1"):
        quiz.answer(index)


@pytest.mark.parametrize(
    ("name", "question", "answers", "message"),
    [
        (" ", "Why?", [RIGHT, WRONG], "needs a name"),
        ("q", "", [RIGHT, WRONG], "'q' has an empty question"),
        ("q", "Why?", [RIGHT], "at least two"),
        ("q", "Why?", [RIGHT, Answer("", "because")], "an answer without text"),
        ("q", "Why?", [RIGHT, Answer("5", " ")], "'5' has no reason"),
        ("q", "Why?", [RIGHT, WRONG, WRONG], "'64 %' more than once"),
        ("q", "Why?", [WRONG, Answer("5", "because")], "0 correct answers"),
        ("q", "Why?", [RIGHT, Answer("5", "because", correct=True)], "2 correct answers"),
    ],
)
def test_a_malformed_quiz_is_refused_in_a_sentence(name: str, question: str, answers: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Quiz(name, question, answers)


def test_markup_in_texts_is_shown_not_interpreted() -> None:
    quiz = Quiz("q", "Is a < b?", [Answer("<b>yes</b>", "a <i>is</i>", correct=True), WRONG])
    quiz.answer(0)
    assert "<i>" not in quiz.feedback
    static = quiz._repr_mimebundle_()["text/html"]
    assert "<b>" not in static
    assert "<i>" not in static
    assert "Is a &lt; b?" in static


def test_stored_forms_are_the_same_on_every_run(quiz: Quiz) -> None:
    again = Quiz(quiz.name, quiz.question, quiz.answers)
    first, second = quiz._repr_mimebundle_(), again._repr_mimebundle_()
    assert first["text/plain"] == second["text/plain"] == "Quiz('stacked-3x3-saving')"
    assert first["text/html"] == second["text/html"]


def test_a_page_without_kernel_shows_question_answers_and_folded_reasons(quiz: Quiz) -> None:
    output = nbformat.v4.new_output("display_data", quiz._repr_mimebundle_())
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("quiz", outputs=[output])])
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert quiz.question in page
    for answer in (RIGHT, WRONG):
        assert html.escape(answer.text) in page
        assert html.escape(answer.reason) in page
    assert page.count("<details><summary>") == 2


def test_importing_the_classroom_does_not_import_torch() -> None:
    code = "import sys, course_lib.teaching; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
