"""An exercise as a value: its right answer, its cases, wrong answers that people give, and three hints.

The exercises of the lesson `notebooks/NN_topic` stand in `course_lib/teaching/references/topic.py`, one value each:

    pair_saving = Exercise(
        name="pair-saving",
        difficulty="easy",
        minutes=5,
        hints=(
            "How many weights has n×n, and how many has each of the two?",
            "n×n has n² for each pair of channels, 1×n and n×1 together 2n.",
            "What is left is 2n / n². What is saved?",
        ),
        reference=lambda n: (n**2 - 2 * n) / n**2,
        cases=[(3,), (5,), (7,)],
        mistakes={
            "That is the share that is left, not the share that is saved.": lambda n: 2 / n,
            ...,  # at least five, each under the sentence that tells the student what went wrong
        },
    )

In the lesson an exercise has a text that ends its heading in "(easy, 5 minutes)", and three cells. `exercises` is the
module, imported in a cell tagged `setup`:

    exercises.pair_saving                        # shows the hints, folded

    def pair_saving(kernel_size: int) -> float:  # tagged `solution`
        # solution begin
        return 1 - 2 / kernel_size
        # solution end

    exercises.pair_saving.check(pair_saving)     # tagged `check`

An answer that behaves as one of `mistakes` is refused with its sentence. A test proves for every exercise in the folder
that each mistake is refused with its own sentence and that the reference passes; another, that stubs fail and solutions
pass. So a check that lets a wrong answer through cannot be written without noticing.

Where many answers are right (an open question, a design), `judge` takes the answer and returns None or a clause that
says what is wrong; `reference` and `cases` are left out, `mistakes` holds wrong answers by the clause that must come.
A planted bug is an ordinary exercise: the broken function stands in the lesson, and is one of the mistakes.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, get_args

from course_lib.teaching.checking import ExerciseError, check_function, keep_answer
from course_lib.teaching.guarding import SECONDS, AnswerError, run

Difficulty = Literal["easy", "medium", "harder"]
HINTS = 3
LEAST_MISTAKES = 5


@dataclass(frozen=True, repr=False)
class Exercise:
    """One exercise, except its text and its solution, which stand in the lesson.

    Attributes:
        name: identifier, the first word of each message.
        difficulty, minutes: what the heading in the lesson says, too.
        hints: three plain texts, from a question to all but the answer.
        mistakes: at least five wrong answers, each under the sentence that says what is wrong with it.
        reference, cases, random_case, random_count, rtol, atol, seconds: as in `check_function`.
        judge: for open exercises, in place of `reference` and `cases`.

    Raises:
        ValueError: if a part is missing; the sentence names the exercise and the part.
    """

    name: str
    difficulty: Difficulty
    minutes: int
    hints: tuple[str, str, str]
    mistakes: Mapping[str, Any]
    reference: Callable[..., Any] | None = None
    cases: list[tuple] | tuple[tuple, ...] = ()
    random_case: Callable[[random.Random], tuple] | None = None
    random_count: int = 20
    rtol: float = 1e-5
    atol: float = 1e-8
    seconds: float = SECONDS
    judge: Callable[[Any], str | None] | None = None

    def __post_init__(self) -> None:
        if self.difficulty not in get_args(Difficulty):
            raise ValueError(f"{self.name}: difficulty is easy, medium or harder, not {self.difficulty!r}")
        if self.minutes < 1:
            raise ValueError(f"{self.name}: minutes is at least 1, not {self.minutes}")
        if len(self.hints) != HINTS or not all(hint.strip() for hint in self.hints):
            raise ValueError(f"{self.name}: give {HINTS} hints with text, from a question to all but the answer")
        if len(self.mistakes) < LEAST_MISTAKES:
            raise ValueError(f"{self.name}: give at least {LEAST_MISTAKES} mistakes, not {len(self.mistakes)}")
        if (self.judge is None) == (self.reference is None) or bool(self.cases) != (self.judge is None):
            raise ValueError(f"{self.name}: give a reference and cases, or a judge instead of both")

    def check(self, answer: Any) -> None:
        """Print `name: correct` if `answer` is right.

        Raises:
            ExerciseError: with one message that says what is wrong, as in `check_function`.
        """
        if self.judge is not None:
            self._judge(answer)
            return
        check_function(
            answer,
            self.reference,
            self.cases,
            name=self.name,
            random_case=self.random_case,
            random_count=self.random_count,
            mistakes=self.mistakes,
            rtol=self.rtol,
            atol=self.atol,
            seconds=self.seconds,
        )

    def hint(self, step: int = 1) -> str:
        """Return the hint number `step`, from 1 to 3.

        Raises:
            ValueError: if there is no such hint.
        """
        if step not in range(1, HINTS + 1):
            raise ValueError(f"{self.name} has hints 1 to {HINTS}, not {step!r}")
        return self.hints[step - 1]

    def _judge(self, answer: Any) -> None:
        if answer is None or answer is ...:
            raise ExerciseError(f"{self.name}: not done yet: the answer is still missing.")
        try:
            problem = run(self.judge, (answer,), self.seconds)
        except AnswerError as error:
            raise ExerciseError(f"{self.name}: {error}.") from error
        if problem:
            raise ExerciseError(f"{self.name}: {problem}.")
        print(f"{self.name}: correct")
        keep_answer(self.name)

    def __repr__(self) -> str:
        return f"{self.name}: {self.difficulty}, {self.minutes} minutes; hint(1) to hint({HINTS}) help in steps"

    def _repr_html_(self) -> str:
        """The hints, each folded inside the one before it, so that they open in order."""
        folded = ""
        for number, hint in reversed(list(enumerate(self.hints, start=1))):
            folded = (
                f'<details style="margin: 4px 0 4px 16px"><summary>Hint {number} of {HINTS}</summary>'
                f"<p>{escape(hint)}</p>{folded}</details>"
            )
        return f"<div>{escape(self.name)}: {self.difficulty}, {self.minutes} minutes{folded}</div>"
