"""Slides, their parts that need neither npm nor a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib.authoring.npm_packages import NpmError
from course_lib.authoring.quiz_outputs import question_shown
from course_lib.authoring.site.first_values import SiteError
from course_lib.authoring.slides.building import build, lesson_page, slide_html
from course_lib.authoring.slides.cutting import CODE_LINES, Slide, slides_of
from course_lib.authoring.slides.shortening import sentences, shortened
from course_lib.teaching import Answer, Quiz

LONG = "The first sentence says what matters, in some words. " + "Another one says more about the matter. " * 5
FIGURE = '<img alt="a curve" src="data:image/png;base64,AAAA">'


def cut(*cells: NotebookNode) -> list[Slide]:
    return slides_of(new_notebook(cells=list(cells), metadata={"course": {"title": "A lesson"}}))


def text(source: str, slide_type: str | None = None) -> NotebookNode:
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": slide_type}} if slide_type else {})


def code(source: str, *tags: str, html: str = "", plain: str = "") -> NotebookNode:
    data = {"text/html": html, "text/plain": plain}
    outputs = [new_output("execute_result", {kind: value for kind, value in data.items() if value})]
    return new_code_cell(source, outputs=outputs if html or plain else [], metadata={"tags": list(tags)})


def quiz() -> NotebookNode:
    made = Quiz("halves", "How much is left?", [Answer("Half", "One of two.", correct=True), Answer("All <b>", "No.")])
    return code("Quiz(...)", "folded", html=made._static_html(), plain=repr(made))


def shown_and_noted(slide: Slide) -> tuple[str, str]:
    page = BeautifulSoup(slide_html(slide), "html.parser")
    notes = " ".join(note.extract().get_text() for note in page.select("aside.notes"))
    return page.get_text(), notes


def kinds(slides: list[Slide]) -> list[str]:
    return [slide.kind for slide in slides]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("By C. Szegedy et al. It is 2.78 times. Yes", ["By C. Szegedy et al. It is 2.78 times.", "Yes"]),
        ("<strong>One. Two.</strong> Three.", ["<strong>One. Two.</strong>", "Three."]),
        ("A <em>b.</em> <code>c</code> d.", ["A <em>b.</em>", "<code>c</code> d."]),
        ("", [""]),
    ],
)
def test_a_paragraph_is_parted_into_sentences(html: str, found: list[str]) -> None:
    assert sentences(html) == found


def test_a_short_paragraph_stays_and_a_long_one_keeps_its_first_sentence_and_what_it_stresses() -> None:
    assert shortened("Short. And whole.") == "Short. And whole."
    stressed = f"{LONG}<strong>What is lost?</strong> {LONG}So count them:"
    assert shortened(stressed) == (
        "The first sentence says what matters, in some words. <strong>What is lost?</strong> So count them:"
    )


def test_headings_start_slides_and_the_first_two_levels_columns() -> None:
    slides = cut(text("# Lesson\n\nLead."), text("## Part\n\nText.\n\n### Detail\n\nMore."))
    assert [(slide.kind, slide.heading, slide.starts_column) for slide in slides] == [
        ("title", "Lesson", True),
        ("text", "Part", True),
        ("text", "Detail", False),
    ]


def test_what_a_slide_leaves_out_stands_in_its_notes() -> None:
    (slide,) = cut(text(f"## Part\n\n{LONG}"))
    shown, noted = shown_and_noted(slide)
    assert "Another one" not in shown
    assert noted.strip() == LONG.strip()


def test_the_plan_of_an_hour_is_the_lecturers() -> None:
    (slide,) = cut(text("# Lesson\n\nLead.\n\n| For a lecture hour | minutes |\n|:--|--:|\n| All of it | 60 |"))
    shown, noted = shown_and_noted(slide)
    assert "All of it" not in shown
    assert "All of it" in noted


def test_an_exercise_is_stated_whole_and_its_section_goes_on_after_the_check() -> None:
    slides = cut(
        text("## Part\n\nText."),
        text(f"### Exercise 1 · Count (easy, 5 minutes)\n\n{LONG}"),
        code("secret_solution()", "solution"),
        code("exercises.count.check(f)", "check", plain="passed"),
        text("After."),
    )
    assert [(slide.kind, slide.heading) for slide in slides] == [
        ("text", "Part"),
        ("exercise", "Exercise 1 · Count (easy, 5 minutes)"),
        ("text", "Part"),
    ]
    assert LONG.strip() in " ".join(shown_and_noted(slides[1])[0].split())
    assert "secret_solution" not in "".join(map(slide_html, slides))


def test_the_hints_of_an_exercise_are_the_lecturers() -> None:
    hints = "<div>count: easy<details><summary>Hint 1 of 1</summary><p>Think twice.</p></details></div>"
    exercise = text("### Exercise 1 · Count (easy, 5 minutes)\n\nCount.")
    (slide,) = cut(exercise, code("exercises.count", html=hints))
    shown, noted = shown_and_noted(slide)
    assert "Hint" not in shown
    assert "exercises.count" not in shown
    assert "Think twice." in noted


@pytest.mark.parametrize("tag", ["guard", "navigation", "setup", "solution", "check", "solution-only"])
def test_cells_that_are_not_for_the_class_are_left_out(tag: str) -> None:
    slides = cut(text("# Lesson\n\nLead."), code("hidden_word()", tag, plain="hidden_word"))
    assert kinds(slides) == ["title"]
    assert "hidden_word" not in slide_html(slides[0])


def test_a_quiz_is_asked_before_its_answers_are_told() -> None:
    slides = cut(text("## Part\n\nText."), quiz(), text("After."))
    assert kinds(slides) == ["text", "quiz", "reasons", "text"]
    asked, noted = shown_and_noted(slides[1])
    assert "How much is left?" in asked
    assert "All <b>" in asked
    assert "One of two." not in asked
    assert "One of two." in noted
    told, _ = shown_and_noted(slides[2])
    assert "✓ Right. One of two." in told
    assert "✗ Not right. No." in told


def test_a_figure_has_its_own_slide_with_the_line_that_leads_to_it_and_its_code_in_the_notes() -> None:
    slides = cut(text("## Part\n\nSee the curve."), code("draw_it()", html=FIGURE), code("draw_it()", html=FIGURE))
    assert kinds(slides) == ["figure", "figure"]
    shown, noted = shown_and_noted(slides[0])
    assert "See the curve." in shown
    assert "draw_it" not in shown
    assert "draw_it" in noted


def test_what_is_folded_is_told_on_the_next_slide() -> None:
    folded = '<details class="course-answer"><summary>Show the answer</summary><p>It is 28 %.</p></details>'
    slides = cut(text("## Part\n\nGuess."), code("fold_answer(x)", html=folded))
    assert kinds(slides) == ["text", "answer"]
    assert "It is 28 %." not in slide_html(slides[0])
    assert "<details" not in slide_html(slides[1])
    assert "It is 28 %." in shown_and_noted(slides[1])[0]


def test_long_code_with_an_output_goes_to_the_notes_and_without_one_is_shown() -> None:
    source = "\n".join(f"line_{number} = {number}" for number in range(CODE_LINES + 1))
    (with_output,) = cut(text("## Part"), code(source, plain="done"))
    shown, noted = shown_and_noted(with_output)
    assert "done" in shown
    assert "line_3" not in shown
    assert "line_3" in noted
    (without,) = cut(text("## Part"), code(source))
    assert "line_3" in shown_and_noted(without)[0]


def test_a_cells_own_metadata_stands_above_the_rule() -> None:
    slides = cut(
        text("# Lesson\n\nLead."),
        text(LONG, "slide"),
        text("Left out.", "skip"),
        text("For the lecturer.", "notes"),
        text("Step by step.", "fragment"),
    )
    assert [slide.starts_column for slide in slides] == [True, True]
    shown, noted = shown_and_noted(slides[1])
    assert LONG.strip() in " ".join(shown.split())
    assert "Left out." not in shown + noted
    assert "For the lecturer." in noted
    assert '<p class="fragment">Step by step.</p>' in slide_html(slides[1])


def test_the_page_nests_columns_and_leads_to_other_lessons_slides() -> None:
    slides = cut(text("# Lesson\n\nSee [that](02_b.ipynb#x) and [all](00_start.ipynb)."), text("## Part\n\nText."))
    page = BeautifulSoup(lesson_page("Lesson", slides), "html.parser")
    assert len(page.select(".slides > section > section")) == len(slides)
    assert [link["href"] for link in page.select("a")] == ["02_b.html", "index.html"]


def test_a_quiz_stored_without_answers_is_refused() -> None:
    output = new_output("execute_result", {"text/plain": "Quiz('halves')"})
    with pytest.raises(SiteError, match=re.escape("Quiz('halves') is stored without its answers")):
        question_shown(output)


def test_without_reveal_the_sentence_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(NpmError, match=r"reveal\.js-.* is missing: .* by `make slides`"):
        build(tmp_path, tmp_path / "out", tmp_path / "cache")
    assert not (tmp_path / "out").exists()
