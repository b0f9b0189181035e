"""Lessons as pages, made by `jupyter nbconvert --to html`: readable offline, and the answers stay folded.

nbconvert's own pages fetch MathJax from a server; here each formula is a picture within the page, with its TeX as text
for those who cannot see it. The code of a cell tagged `folded`, such as a quiz with its answers, is left out.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from html import escape
from typing import Any

from matplotlib.mathtext import math_to_image
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode

from course_lib.authoring.notebooks import FOLDED_TAG, has_tag

_FORMULA = re.compile(r"`[^`]*`|\$\$(?P<block>.+?)\$\$|(?<![\\$\w])\$(?P<inline>\S(?:[^$\n]*\S)?)\$(?!\w)", re.DOTALL)


class LessonPage(Preprocessor):
    """Prepares a lesson for nbconvert's HTML exporter; other notebooks pass unchanged."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Draw formulas and leave out folded code, in the notebook given."""
        if "course" not in nb.metadata and "course_build" not in nb.metadata:
            return nb, resources
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = _FORMULA.sub(_drawn, cell.source)
            elif has_tag(cell, FOLDED_TAG):
                cell.metadata["transient"] = {"remove_source": True}
        return nb, resources


def _drawn(found: re.Match[str]) -> str:
    tex = found["block"] or found["inline"]
    if tex is None:  # code, in which a dollar is a dollar
        return found[0]
    tex = " ".join(tex.split())
    buffer = io.BytesIO()
    try:
        math_to_image(f"${_plain_brackets(tex)}$", buffer, dpi=125, format="svg")
    except ValueError:  # more than Matplotlib's TeX: left to MathJax, which wants a network
        return found[0]
    source = f"data:image/svg+xml;base64,{b64encode(buffer.getvalue()).decode()}"
    image = f'<img src="{source}" alt="{escape(tex)}" class="formula" style="vertical-align: middle">'
    return f'<p style="text-align: center">{image}</p>' if found["block"] else image


def _plain_brackets(tex: str) -> str:
    r"""Matplotlib knows `\left` and `\right` but no other sizes of brackets."""
    return re.sub(r"\\[bB]igg?([lr])", lambda size: r"\left" if size[1] == "l" else r"\right", tex)
