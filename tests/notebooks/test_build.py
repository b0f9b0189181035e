"""The build of a notebook: complete or not at all, the same each time, and drift from the source is seen."""

import json
from pathlib import Path

import nbformat
import pytest

from course_lib.authoring import notebooks
from course_lib.authoring.checked_cells import CellCounts, count_cells
from course_lib.authoring.notebooks import NotebookError, build, code_cells, find_problems, main, retext
from course_lib.authoring.student import student_copy
from course_lib.teaching.lessons import find_lessons, lesson_table
from course_lib.teaching.sources import read_notebook

HEADER = """\
# ---
# jupyter:
#   course:
#     minutes_read: 25
#     minutes_run: 2
#     title: A lesson
#   jupytext:
#     cell_metadata_filter: tags,slideshow,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: kernelspec,jupytext,course,-jupytext.text_representation.jupytext_version,-widgets,-language_info
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---
"""  # noqa: E501
CELLS = """
# %% [markdown]
# # A lesson

# %% tags=["nbval-check-output"]
print(1 + 1)

# %%
assert 1 + 1 == 2

# %%
import ipywidgets

ipywidgets.IntSlider()

# %%
ipywidgets.IntSlider()

# %% tags=["folded"]
from tqdm.auto import tqdm

assert sum(tqdm(range(3))) == 3
"""


def write_source(folder: Path, cells: str = CELLS, header: str = HEADER) -> Path:
    source = folder / "01_lesson.py"
    source.write_text(header + cells, encoding="utf-8")
    return source


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source with its notebook; tests read it only."""
    source = write_source(tmp_path_factory.mktemp("folder with spaces"))
    build(source)
    return source


def copy_pair(built: Path, folder: Path) -> Path:
    for path in (built, built.with_suffix(".ipynb")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / built.name


def change_notebook(source: Path, change) -> None:
    path = source.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def test_a_built_pair_has_no_problems(built: Path) -> None:
    assert find_problems(built) == []
    assert [path.name for path in sorted(built.parent.iterdir())] == ["01_lesson.ipynb", "01_lesson.py"]


def test_building_again_gives_the_same_file(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    build(source)
    assert source.with_suffix(".ipynb").read_bytes() == built.with_suffix(".ipynb").read_bytes()


def test_a_changed_text_keeps_the_outputs_unexecuted(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    before = read_notebook(source.with_suffix(".ipynb"))
    source.write_text(f"{source.read_text(encoding='utf-8')}\n# %% [markdown]\n# Told anew.\n", encoding="utf-8")
    assert find_problems(source) != []
    retext(source)
    assert find_problems(source) == []
    after = read_notebook(source.with_suffix(".ipynb"))
    assert [cell.outputs for cell in code_cells(after)] == [cell.outputs for cell in code_cells(before)]
    assert after.cells[-1].source == "Told anew."


def test_a_changed_code_is_not_taken_for_text(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    source.write_text(f"{source.read_text(encoding='utf-8')}\n# %%\nnew = 1\n", encoding="utf-8")
    before = source.with_suffix(".ipynb").read_bytes()
    with pytest.raises(NotebookError, match=r"its code has changed since it was executed: run `make notebooks`"):
        retext(source)
    assert source.with_suffix(".ipynb").read_bytes() == before


def test_nothing_random_is_stored(built: Path) -> None:
    notebook = json.loads(built.with_suffix(".ipynb").read_text(encoding="utf-8"))
    assert "widgets" not in notebook["metadata"]
    assert "widget-view" not in json.dumps(notebook)
    assert notebook["cells"][-1]["outputs"] == []  # the progress bar, which would stand at 0 % for ever
    assert all("execution" not in cell["metadata"] for cell in notebook["cells"])
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])


def test_what_is_folded_in_jupyterlab_stays_folded(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    change_notebook(source, lambda notebook: notebook.cells[2].metadata.update(jupyter={"source_hidden": True}))
    build(source)
    assert nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells[2].metadata.jupyter.source_hidden
    assert find_problems(source) == []


def test_a_cell_tagged_folded_is_folded(built: Path) -> None:
    *_, before, folded = nbformat.read(built.with_suffix(".ipynb"), as_version=4).cells
    assert folded.metadata.jupyter.source_hidden
    assert "jupyter" not in before.metadata
    assert find_problems(built) == []


def test_a_failing_cell_is_named_and_the_former_notebook_stays(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    before = source.with_suffix(".ipynb").read_bytes()
    write_source(tmp_path, CELLS + "\n# %%\nx = 1\nx / 0\n")
    with pytest.raises(
        NotebookError, match=r"^01_lesson.ipynb, cell 7 \(`x = 1`\): ZeroDivisionError: division by zero$"
    ):
        build(source)
    assert source.with_suffix(".ipynb").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cell_that_runs_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebooks, "CELL_TIMEOUT_S", 1)
    source = write_source(tmp_path, "\n# %%\nimport time\ntime.sleep(60)\n")
    with pytest.raises(NotebookError, match=r"cell 1 \(`import time`\): ran longer than 1 s"):
        build(source)


def test_a_kernel_that_dies_is_named(tmp_path: Path) -> None:
    source = write_source(tmp_path, "\n# %%\nimport os\nos._exit(1)\n")
    with pytest.raises(NotebookError, match=r"cell 1 \(`import os`\): the kernel died"):
        build(source)


def test_a_changed_source_is_seen(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    write_source(tmp_path, CELLS.replace("1 + 1)", "1 + 2)"))
    drift, stale = find_problems(source)
    assert "differ, first here: - print(1 + 1)" in drift
    assert "was not made from this 01_lesson.py" in stale


def test_outputs_of_an_older_source_are_seen_after_a_sync(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    write_source(tmp_path, CELLS.replace("1 + 1)", "1 + 2)"))
    change_notebook(source, lambda notebook: notebook.cells[1].update(source="print(1 + 2)"))
    assert find_problems(source) == ["01_lesson.ipynb was not made from this 01_lesson.py: run `make notebooks`"]


def test_an_unexecuted_cell_and_an_error_are_seen(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    change_notebook(source, lambda notebook: notebook.cells[1].update(execution_count=None))
    change_notebook(source, lambda notebook: notebook.cells[2].update(outputs=[error]))
    assert find_problems(source) == ["cell 2 was not executed: run `make notebooks`", "cell 3 shows ValueError: no"]


def test_a_missing_notebook_is_seen(tmp_path: Path) -> None:
    assert find_problems(write_source(tmp_path)) == ["01_lesson.ipynb is missing: run `make notebooks`"]


def test_a_header_with_other_settings_is_seen(tmp_path: Path) -> None:
    header = HEADER.replace("tags,slideshow,-all", "all").replace("name: python3", "name: other")
    filtered, kernel, _ = find_problems(write_source(tmp_path, header=header))
    assert filtered == "the header's jupytext.cell_metadata_filter is 'all'; it should be 'tags,slideshow,-all'"
    assert kernel == "the header's kernelspec.name is 'other'; it should be 'python3'"


def test_line_ends_and_a_byte_order_mark_are_no_change(built: Path, tmp_path: Path) -> None:
    source = copy_pair(built, tmp_path)
    source.write_bytes(b"\xef\xbb\xbf" + source.read_bytes().replace(b"\n", b"\r\n"))
    notebook = source.with_suffix(".ipynb")
    notebook.write_bytes(b"\xef\xbb\xbf" + notebook.read_bytes().replace(b"\n", b"\r\n"))
    assert find_problems(source) == []
    build(source)
    assert notebook.read_bytes() == built.with_suffix(".ipynb").read_bytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n", "it holds the marks of a merge conflict"),
        (b"\xff\xfe{}", "it is not UTF-8 (byte 0)"),
        (b"{}", "the file is not a notebook"),
        (b"[]", "the file is not a notebook"),
        (b"{", "the file is not a notebook"),
    ],
)
def test_a_notebook_that_is_none_is_named_and_made_anew(
    built: Path, tmp_path: Path, content: bytes, reason: str
) -> None:
    source = copy_pair(built, tmp_path)
    notebook = source.with_suffix(".ipynb")
    notebook.write_bytes(content)
    assert find_problems(source) == [f"01_lesson.ipynb cannot be read: {reason}: run `make notebooks`"]
    build(source)
    assert notebook.read_bytes() == built.with_suffix(".ipynb").read_bytes()


def test_a_source_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    source.write_bytes(source.read_bytes() + "# é".encode("latin-1"))
    with pytest.raises(NotebookError, match=r"01_lesson\.py: is not UTF-8 \(byte \d+\); save it as UTF-8"):
        find_problems(source)


def test_the_command_line_names_each_problem_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_source(tmp_path)
    assert main(["check", str(source)]) == 1
    assert main(["build", str(tmp_path / "02_none.py")]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "01_lesson.py: 01_lesson.ipynb is missing: run `make notebooks`"
    assert "02_none.py: cannot be read (No such file or directory)" in second


def test_cells_are_counted_by_their_strongest_check(built: Path) -> None:
    assert count_cells(nbformat.read(built.with_suffix(".ipynb"), as_version=4)) == CellCounts(1, 2, 2)


@pytest.mark.parametrize(
    "code", ["assert x", "check_function(f, g)", "quiz.check()", "torch.testing.assert_close(a, b)"]
)
def test_an_assertion_or_a_check_counts(code: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    assert count_cells(notebook) == CellCounts(0, 1, 0)


@pytest.mark.parametrize("code", ["# assert x", "text = 'assert x'", "%matplotlib inline\nx = 1", "x = check"])
def test_anything_else_does_not(code: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    assert count_cells(notebook) == CellCounts(0, 0, 1)


def test_a_tag_without_comparable_output_does_not_count_as_compared() -> None:
    picture = nbformat.v4.new_output("display_data", data={"image/png": "iVBORw0KGgo="})
    cell = nbformat.v4.new_code_cell("plot()", metadata={"tags": ["nbval-check-output"]}, outputs=[picture])
    assert count_cells(nbformat.v4.new_notebook(cells=[cell])) == CellCounts(0, 0, 1)


def test_lessons_are_listed_with_links_and_minutes(built: Path) -> None:
    assert "| [A lesson](01_lesson.ipynb) | 25 | 2 |" in lesson_table(built.parent).data


def test_lessons_are_listed_where_only_copies_lie(built: Path, tmp_path: Path) -> None:
    nbformat.write(student_copy(read_notebook(built.with_suffix(".ipynb"))), tmp_path / "01_lesson.ipynb")
    assert lesson_table(tmp_path).data == lesson_table(built.parent).data


def test_the_start_page_is_not_a_lesson(tmp_path: Path) -> None:
    (tmp_path / "00_start.py").write_text(HEADER, encoding="utf-8")
    assert find_lessons(tmp_path) == []
    with pytest.raises(NotebookError, match="holds no lessons"):
        lesson_table(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minutes_run: 2", "minutes_run: soon", "course.minutes_run is 'soon'; it should be a whole number of minutes"),
        ("minutes_read: 25", "minutes_read: 0", "course.minutes_read is 0; it should be a whole number of minutes"),
        ("title: A lesson", "titel: A lesson", "course.title is None; it should be a text"),
        ("course:", "lesson:", "has no `course:` with title, minutes_read, minutes_run"),
    ],
)
def test_a_lesson_with_a_wrong_header_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    write_source(tmp_path, header=HEADER.replace(old, new))
    with pytest.raises(NotebookError, match=message) as raised:
        find_lessons(tmp_path)
    assert str(raised.value).startswith("01_lesson.py: ")
