"""Every exercise of the course refuses each of its known mistakes, and says which it is; its reference passes."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from course_lib.teaching import Exercise, ExerciseError, references
from course_lib.teaching.exercises import HINTS, LEAST_MISTAKES

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TOPICS = [module.name for module in pkgutil.iter_modules(references.__path__)]


def exercises_of(topic: str) -> dict[str, Exercise]:
    """The exercises of a lesson by the names under which it finds them."""
    module = importlib.import_module(f"{references.__name__}.{topic}")
    return {name: value for name, value in vars(module).items() if isinstance(value, Exercise)}


def source_of(topic: str) -> str:
    (lesson,) = NOTEBOOKS.glob(f"*_{topic}.py")
    return lesson.read_text(encoding="utf-8")


ALL = {f"{topic}: {e.name}": e for topic in TOPICS for e in exercises_of(topic).values()}
WRONG = [pytest.param(e, sentence, id=f"{key}: {sentence}") for key, e in ALL.items() for sentence in e.mistakes]


@pytest.mark.parametrize(("exercise", "sentence"), WRONG)
def test_a_known_mistake_is_refused_with_its_own_sentence(exercise: Exercise, sentence: str) -> None:
    with pytest.raises(ExerciseError) as caught:
        exercise.check(exercise.mistakes[sentence])
    message = str(caught.value)
    assert message.startswith(f"{exercise.name}: ")
    assert message.removesuffix(".").endswith(sentence.removesuffix(".")), message
    assert "<function" not in message
    assert len(message) < 600
    assert "not done yet" not in message


@pytest.mark.parametrize("exercise", [pytest.param(e, id=key) for key, e in ALL.items() if e.reference])
def test_the_reference_is_accepted(exercise: Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    exercise.check(exercise.reference)
    assert capsys.readouterr().out.startswith(f"{exercise.name}: correct (")


@pytest.mark.parametrize("exercise", [pytest.param(e, id=key) for key, e in ALL.items()])
def test_every_exercise_has_hints_and_mistakes(exercise: Exercise) -> None:
    assert len({exercise.hint(step) for step in range(1, HINTS + 1)}) == HINTS
    assert len(exercise.mistakes) >= LEAST_MISTAKES


@pytest.mark.parametrize("topic", TOPICS)
def test_the_lesson_offers_hints_checks_and_states_difficulty_and_minutes(topic: str) -> None:
    source = source_of(topic)
    for name, exercise in exercises_of(topic).items():
        card, check = rf"^exercises\.{name}$", rf"^exercises\.{name}\.check\("
        assert len(re.findall(card, source, re.MULTILINE)) == 1, f"{name}: one cell shows the hints"
        assert len(re.findall(check, source, re.MULTILINE)) == 1, f"{name}: one cell checks the answer"
        heading = source[: re.search(card, source, re.MULTILINE).start()].rpartition("\n# ### ")[2].splitlines()[0]
        assert heading.endswith(f"({exercise.difficulty}, {exercise.minutes} minutes)")


def test_names_of_exercises_are_unique() -> None:
    names = [exercise.name for exercise in ALL.values()]
    assert len(set(names)) == len(names)
