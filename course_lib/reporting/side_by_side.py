"""Pictures side by side, such as a block before and after a change."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Protocol


class Picture(Protocol):
    """As `course_lib.architecture.diagram` gives it; `text` says in words what is to be seen."""

    @property
    def text(self) -> str: ...

    def _repr_mimebundle_(self) -> dict[str, str]: ...


class SideBySide:
    """Pictures in a row, each under its heading; on a narrow page one below the other."""

    def __init__(self, pictures: Mapping[str, Picture]) -> None:
        self._pictures = dict(pictures)

    def __repr__(self) -> str:
        return "\n".join(f"{heading}: {picture.text}" for heading, picture in self._pictures.items())

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<div style="flex: 1 1 0; min-width: 420px"><p style="font-size: 115%; font-weight: 600">{escape(heading)}'
            f"</p>{picture._repr_mimebundle_()['text/html']}</div>"
            for heading, picture in self._pictures.items()
        )
        return f'<div style="display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start">{cells}</div>'


def side_by_side(pictures: Mapping[str, Picture]) -> SideBySide:
    """Show pictures in a row, by their headings.

    Raises:
        ValueError: if there is none.
    """
    if not pictures:
        raise ValueError("side_by_side needs at least one picture")
    return SideBySide(pictures)
