"""A question to answer before the cell that measures it. Every answer, right or wrong, comes with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets

from course_lib.reporting.static_form import RUN_FOR_CONTROLS
from course_lib.teaching.progress import keep_answer, read_progress

# ipywidgets gives its radio buttons no common name, without which the arrow keys do not go from one to the next, and
# their group no name to read out; and JupyterLab takes the keys for its own shortcuts, unless an attribute asks it not
# to. The style element is the one part of a widget that can say when it is on the page.
_NAME_THE_GROUP = (
    "const quiz = this.closest('.course-quiz'), group = 'quiz-' + Math.random(); "
    "quiz.addEventListener('focusin', () => { "
    "quiz.querySelectorAll('input[type=radio]').forEach(button => { "
    "button.name = group; button.setAttribute('data-lm-suppress-shortcuts', 'true'); }); "
    "const box = quiz.querySelector('.widget-radio-box'); box.setAttribute('role', 'radiogroup'); "
    "box.setAttribute('aria-label', quiz.querySelector('.course-quiz-question').textContent); });"
)
# ipywidgets gives a radio button one line of fixed height in the small interface font, and sets it over its own text.
_STYLE = f"""<style onload="{_NAME_THE_GROUP}">"""
_STYLE += """
.course-quiz {border-left: 4px solid var(--jp-brand-color1, #1976d2); padding: 4px 0 8px 16px; max-width: 60em}
.course-quiz .course-quiz-question {font-size: 120%; font-weight: 600; line-height: 1.4; margin: 4px 0}
.course-quiz .widget-radio-box {width: 100%}
.course-quiz .widget-radio-box label {display: flex; flex-direction: row-reverse; justify-content: flex-end;
  align-items: baseline; gap: 10px; font-size: 115%; height: auto; line-height: 1.4; margin: 0 0 6px; padding: 0;
  white-space: normal; width: auto; max-width: none}
.course-quiz .widget-radio-box input {position: static; flex: none; margin: 0; width: 15px; height: 15px}
.course-quiz button {font-size: 110%; height: auto; min-height: 32px; line-height: 1.4}
.course-quiz button:focus-visible, .course-quiz input:focus-visible {outline: 3px solid var(--jp-brand-color1, #1976d2);
  outline-offset: 2px}
.course-quiz .course-quiz-reason {font-size: 115%; line-height: 1.4; padding: 6px 12px; margin-top: 6px}
.course-quiz .course-quiz-right {border: 3px solid var(--jp-success-color1, #2e7d32)}
.course-quiz .course-quiz-wrong {border: 3px dashed var(--jp-error-color1, #c62828)}
</style>"""


@dataclass(frozen=True)
class Answer:
    """One answer of a quiz: its text, the reason why it is right or wrong, and which of the two it is."""

    text: str
    reason: str
    correct: bool = False


class Quiz(widgets.VBox):
    """A question with radio buttons, a "Check" button and the reason of the chosen answer.

    Where no kernel runs (a static page, a notebook opened before it is run) the `text/html` form shows question and
    answers as text, each reason folded under its answer. Texts are plain text; HTML in them is shown as written.
    The answer last checked is kept in the student's progress file, if there is one, and shown when the cell runs again.

    Args:
        name: short identifier; with it `repr` is the same on every run, so nbval can compare the cell's output.
        question: the question, one or a few sentences.
        answers: at least two, exactly one of them correct, with different texts and a reason each.

    Raises:
        ValueError: if name, question or answers break these rules; the sentence names the quiz and the answer.
    """

    def __init__(self, name: str, question: str, answers: Sequence[Answer]) -> None:
        _validate(name, question, answers)
        self.name = name
        self.question = question
        self.answers = tuple(answers)
        self._choices = widgets.RadioButtons(
            options=[(answer.text, index) for index, answer in enumerate(self.answers)],
            value=None,
            layout=widgets.Layout(width="100%"),
        )
        self._check_button = widgets.Button(description="Check", tooltip="Check the chosen answer")
        self._feedback = widgets.HTML(_live_region(""))
        self._choices.observe(self._forget_feedback, names="index")
        self._check_button.on_click(self._check)
        heading = widgets.HTML(f'{_STYLE}<div class="course-quiz-question">{escape(question)}</div>')
        super().__init__([heading, self._choices, self._check_button, self._feedback])
        self.add_class("course-quiz")
        self._show_earlier_answer()

    @property
    def value(self) -> str | None:
        """Text of the chosen answer, None before one is chosen."""
        return None if self._choices.value is None else self.answers[self._choices.value].text

    @property
    def feedback(self) -> str:
        """HTML of the reason shown now: "" inside the live region until "Check" is pressed."""
        return self._feedback.value

    def answer(self, index: int) -> bool:
        """Choose the answer at `index` (from 0), check it as the button does, and return whether it is right."""
        if not 0 <= index < len(self.answers):
            raise IndexError(f"quiz {self.name!r} has answers 0 to {len(self.answers) - 1}, not {index}")
        self._choices.value = index
        self._check_button.click()
        return self.answers[index].correct

    def _forget_feedback(self, change: object) -> None:
        # The reason of the answer chosen before would contradict the one chosen now.
        self._feedback.value = _live_region("")

    def _check(self, button: widgets.Button) -> None:
        if self._choices.value is None:
            self._feedback.value = _live_region("Choose an answer first.")
            return
        answer = self.answers[self._choices.value]
        self._show_reason(answer, keep_answer(self.name, answer.text))

    def _show_reason(self, answer: Answer, remark: str = "") -> None:
        shown = f"<strong>{_mark(answer)}</strong> {escape(answer.reason)} {escape(remark)}"
        self._feedback.value = _live_region(shown.rstrip(), answer)

    def _show_earlier_answer(self) -> None:
        progress = read_progress()
        earlier = progress.quizzes.get(self.name) if progress else None
        for index, answer in enumerate(self.answers):
            if answer.text == earlier:  # none is, if the lesson's answers have changed since
                self._choices.value = index
                self._show_reason(answer)

    def __repr__(self) -> str:
        return f"Quiz({self.name!r})"

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, object]:
        return {**super()._repr_mimebundle_(**kwargs), "text/html": self._static_html()}

    def _static_html(self) -> str:
        items = "".join(
            f"<li>{escape(answer.text)}<details><summary>Right or wrong?</summary>"
            f"{_mark(answer)} {escape(answer.reason)}</details></li>"
            for answer in self.answers
        )
        return f"<div><p><strong>{escape(self.question)}</strong></p><ol>{items}</ol>{RUN_FOR_CONTROLS}</div>"


def _mark(answer: Answer) -> str:
    return "✓ Right." if answer.correct else "✗ Not right."


def _live_region(content: str, answer: Answer | None = None) -> str:
    """Wrap `content` so that a screen reader reads it out when it changes, without taking the focus."""
    kind = "" if answer is None else " course-quiz-right" if answer.correct else " course-quiz-wrong"
    classes = f' class="course-quiz-reason{kind}"' if content else ""
    return f'<div role="status" aria-live="polite"{classes}>{content}</div>'


def _validate(name: str, question: str, answers: Sequence[Answer]) -> None:
    if not name.strip():
        raise ValueError("a quiz needs a name, such as 'stacked-3x3-saving'")
    if not question.strip():
        raise ValueError(f"quiz {name!r} has an empty question")
    if len(answers) < 2:
        raise ValueError(f"quiz {name!r} has {len(answers)} answer(s); it needs at least two")
    for answer in answers:
        if not answer.text.strip():
            raise ValueError(f"quiz {name!r} has an answer without text")
        if not answer.reason.strip():
            raise ValueError(f"quiz {name!r}: answer {answer.text!r} has no reason; say why it is right or wrong")
    texts = [answer.text for answer in answers]
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise ValueError(f"quiz {name!r} has the answer {twice[0]!r} more than once; each text may stand once")
    correct = sum(answer.correct for answer in answers)
    if correct != 1:
        raise ValueError(f"quiz {name!r} has {correct} correct answers; exactly one must have correct=True")
