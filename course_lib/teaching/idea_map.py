"""The map of the course: which lesson builds on which, as a picture with a link in each box."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from textwrap import wrap

from IPython.display import HTML

from course_lib.teaching.lessons import Lesson, find_lessons

BOX, GAP_X, GAP_Y = (210, 62), 70, 22
LETTERS = 20
"""That fit into a line of a box at this size."""
STYLE = "font-family: 'DejaVu Sans', Verdana, sans-serif; max-width: 100%; height: auto; background: white"


def idea_map(folder: Path = Path(".")) -> HTML:
    """The lessons in `folder`, from left to right, each right of all that it needs, with a line from each of these."""
    return HTML(draw_map(find_lessons(folder)))


def columns(lessons: Sequence[Lesson]) -> list[list[Lesson]]:
    """The lessons by the longest chain of lessons before them; raises ValueError if some need one another in a ring."""
    here = {lesson.stem for lesson in lessons}
    placed: dict[str, int] = {}
    while len(placed) < len(lessons):
        free = [
            lesson
            for lesson in lessons
            if lesson.stem not in placed and all(need in placed or need not in here for need in lesson.needs)
        ]
        if not free:
            ring = ", ".join(lesson.title for lesson in lessons if lesson.stem not in placed)
            raise ValueError(f"These lessons need one another in a ring: {ring}.")
        for lesson in free:
            placed[lesson.stem] = 1 + max((placed[need] for need in lesson.needs if need in placed), default=-1)
    return [
        [lesson for lesson in lessons if placed[lesson.stem] == depth]
        for depth in range(max(placed.values(), default=-1) + 1)
    ]


def direct_needs(lesson: Lesson, lessons: Sequence[Lesson]) -> list[str]:
    """What a lesson builds on, but for what another of its needs builds on already."""
    needs = {here.stem: set(here.needs) for here in lessons}

    def all_needs(stem: str) -> set[str]:
        return needs.get(stem, set()).union(*(all_needs(need) for need in needs.get(stem, set())))

    return [
        need for need in lesson.needs if need in needs and not any(need in all_needs(other) for other in lesson.needs)
    ]


def draw_map(lessons: Sequence[Lesson]) -> str:
    """SVG in which each lesson is a link to its notebook; what it builds on stands in the text for screen readers."""
    grid = columns(lessons)
    (width, height), rows = BOX, max(map(len, grid), default=0)
    left = {lesson.stem: depth * (width + GAP_X) for depth, column in enumerate(grid) for lesson in column}
    top = {
        lesson.stem: (place + (rows - len(column)) / 2) * (height + GAP_Y)
        for column in grid
        for place, lesson in enumerate(column)
    }
    lines = [
        f'<path d="M{left[need] + width} {top[need] + height / 2:g} C{left[need] + width + GAP_X / 2:g} '
        f"{top[need] + height / 2:g} {left[lesson.stem] - GAP_X / 2:g} {top[lesson.stem] + height / 2:g} "
        f'{left[lesson.stem]} {top[lesson.stem] + height / 2:g}" fill="none" stroke="#555" stroke-width="2"/>'
        for lesson in lessons
        for need in direct_needs(lesson, lessons)
    ]
    boxes = [_box(lesson, left[lesson.stem], top[lesson.stem]) for lesson in lessons]
    whole = (len(grid) * (width + GAP_X) - GAP_X + 4, rows * (height + GAP_Y) - GAP_Y + 4)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 {whole[0]} {whole[1]}" width="{whole[0]}" '
        # A group, not an image: a screen reader must reach the links inside.
        f'role="group" style="{STYLE}"><title>{escape(describe(lessons))}</title>{"".join(lines + boxes)}</svg>'
    )


def describe(lessons: Sequence[Lesson]) -> str:
    """What the picture shows, in words."""
    titles = {lesson.stem: lesson.title for lesson in lessons}
    told = [
        f"{lesson.title} builds on {' and '.join(titles[need] for need in lesson.needs if need in titles)}"
        if any(need in titles for need in lesson.needs)
        else f"{lesson.title} builds on no other lesson"
        for lesson in lessons
    ]
    return "; ".join(told) + "."


def _box(lesson: Lesson, x: float, y: float) -> str:
    (width, height), words = BOX, wrap(lesson.title, LETTERS)
    middle = y + height / 2 - 11 * (len(words) - 1)
    text = "".join(
        f'<text x="{x + width / 2:g}" y="{middle + 22 * number:g}" font-size="17" text-anchor="middle" '
        f'dominant-baseline="central" fill="#0b3d66" text-decoration="underline">{escape(line)}</text>'
        for number, line in enumerate(words)
    )
    frame = f'<rect x="{x}" y="{y:g}" width="{width}" height="{height}" rx="6" fill="#eaf2fa" stroke="#0b3d66"/>'
    return f'<a href="{escape(lesson.notebook)}">{frame}{text}</a>'
