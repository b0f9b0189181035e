"""Lessons as pages: formulas without a network, and no answer in sight."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.authoring.html_page import LessonPage
from course_lib.teaching.sources import read_source

CONFIG = Path(__file__).parents[2] / "jupyter" / "config"


def prepared(*cells: nbformat.NotebookNode, **metadata: object) -> list[nbformat.NotebookNode]:
    notebook = new_notebook(cells=list(cells), metadata=metadata or {"course": {"title": "A lesson"}})
    return LessonPage().preprocess(notebook, {})[0].cells


def test_nbconvert_draws_formulas_and_leaves_out_the_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(CONFIG))
    quiz = new_code_cell('Answer("28 %", "18/25", correct=True)', metadata={"tags": ["folded"]})
    cells = [new_markdown_cell("So $$\\frac{18}{25}$$ and $x_1$, and `$a$`."), quiz, new_code_cell("shown = 1")]
    notebook = new_notebook(cells=cells, metadata={"course": {"title": "A lesson"}})
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "lesson.ipynb"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    page = (tmp_path / "lesson.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/svg+xml') == 2
    assert 'alt="\\frac{18}{25}"' in page
    assert "and <code>$a$</code>" in page
    assert "correct" not in page
    assert "shown" in page


def test_every_formula_of_every_lesson_can_be_drawn(source: Path) -> None:
    cells = [cell for cell in read_source(source).cells if cell.cell_type == "markdown"]
    text = "\n".join(cell.source for cell in prepared(*cells))
    assert "$$" not in re.sub(r"`[^`]*`", "", text)


def test_a_formula_beyond_matplotlib_stays_as_it_is() -> None:
    (cell,) = prepared(new_markdown_cell(r"$$\begin{matrix}1\end{matrix}$$"))
    assert cell.source == r"$$\begin{matrix}1\end{matrix}$$"


def test_other_notebooks_pass_unchanged() -> None:
    (cell,) = prepared(new_markdown_cell("$$x$$"), kernelspec={"name": "python3", "display_name": "Python"})
    assert cell.source == "$$x$$"
