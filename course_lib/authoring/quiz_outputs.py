"""What a quiz asks, read from the output that a lesson stores: slides and the lecturer's guide print it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bs4 import BeautifulSoup
from nbformat import NotebookNode

from course_lib.authoring.site.first_values import SiteError
from course_lib.teaching.quiz import Answer

RIGHT, WRONG = "✓ Right.", "✗ Not right."
"""How a stored reason begins."""


@dataclass(frozen=True)
class Question:
    """A quiz as a reader sees it: the question and its answers, each with its reason."""

    text: str
    answers: tuple[Answer, ...]


def question_shown(output: NotebookNode) -> Question | None:
    """The quiz that a stored output shows, None if it shows none.

    Raises:
        SiteError: the output is a quiz's, yet its answers cannot be read; the notebook has to be made again.
    """
    data = output.get("data", {})
    said = data.get("text/plain", "")
    if not said.startswith("Quiz("):
        return None
    page = BeautifulSoup(data.get("text/html", ""), "html.parser")
    question = page.find("strong")
    answers = [_answer(item.extract()) for item in page.find_all("li")]
    if question is None or sum(answer.correct for answer in answers) != 1:
        raise SiteError(f"{said} is stored without its answers: make the notebook again by `make notebooks`.")
    return Question(question.get_text(), tuple(answers))


def questions_of(cells: Iterable[NotebookNode]) -> Iterator[Question]:
    """The quizzes that a lesson's cells show, in order; raises SiteError as `question_shown`."""
    for cell in cells:
        for output in cell.get("outputs", []):
            question = question_shown(output)
            if question is not None:
                yield question


def _answer(item: BeautifulSoup) -> Answer:
    details = item.details.extract() if item.details else item
    if details.summary:
        details.summary.decompose()
    reason = details.get_text().strip()
    mark = next((mark for mark in (RIGHT, WRONG) if reason.startswith(mark)), "")
    return Answer(item.get_text().strip(), reason.removeprefix(mark).strip(), correct=mark == RIGHT)
