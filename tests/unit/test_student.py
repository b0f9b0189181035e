"""Student copies hide the solutions, keep the rest, and are proven to need the student's work."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib.authoring.student import ProofError, main, prove, student_copy, write_copies

SETUP = "from course_lib.teaching import check_function, check_value"
FUNCTION = """def macs(kernel_size: int) -> int:
    \"\"\"Count multiplications.\"\"\"
    # solution begin
    area = kernel_size**2
    return area
    # solution end"""
FUNCTION_CHECK = "check_function(macs, lambda kernel_size: kernel_size**2, [(3,), (5,)], name='macs')"
VALUE = "# solution begin\nsaving, (left, _) = 0.28, (0.72, 0)\nsaving = 0.28\n# solution end"
VALUE_CHECK = "check_value(saving, 0.28, name='saving')"


def code(source: str, *tags: str) -> NotebookNode:
    return new_code_cell(source, metadata={"tags": list(tags)})


def lesson(*cells: NotebookNode) -> NotebookNode:
    return new_notebook(
        cells=[code(SETUP, "setup"), *cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "jupytext": {"formats": "ipynb,py"},
            "course": {"title": "A lesson"},
        },
    )


@pytest.fixture
def notebook() -> NotebookNode:
    shown = code("print('trained')")
    shown.outputs, shown.execution_count = [new_output("stream", text="trained\n")], 7
    return lesson(
        shown,
        code("raise SystemError('training must not run')"),
        code(FUNCTION, "solution"),
        code(FUNCTION_CHECK, "check"),
        new_markdown_cell("Because 9 + 9 = 18.", metadata={"tags": ["solution-only"]}),
        code(VALUE, "solution"),
        code(VALUE_CHECK, "check"),
    )


def test_a_solution_in_a_function_becomes_a_stub_of_the_same_indentation(notebook: NotebookNode) -> None:
    stub = student_copy(notebook).cells[3].source.splitlines()
    assert stub == [*FUNCTION.splitlines()[:2], '    raise NotImplementedError("your turn")']


def test_a_solution_at_the_left_margin_becomes_one_open_name_each(notebook: NotebookNode) -> None:
    stub = student_copy(notebook).cells[5].source
    assert stub == "saving = ...  # your turn\nleft = ...  # your turn\n_ = ...  # your turn"


def test_a_copy_has_no_outputs_worked_solutions_or_pairing_and_leaves_the_master_alone(notebook: NotebookNode) -> None:
    copy = student_copy(notebook)
    text = nbformat.writes(copy)
    assert "area" not in text
    assert "9 + 9" not in text
    assert set(copy.metadata) == {"kernelspec", "course"}
    assert all(not cell.outputs and cell.execution_count is None for cell in copy.cells if cell.cell_type == "code")
    assert notebook.cells[1].outputs
    assert "area" in notebook.cells[3].source
    nbformat.validate(copy)


@pytest.mark.parametrize(
    ("source", "tags", "message"),
    [
        ("x = 1", ["solution"], "cell 1: a cell tagged 'solution' needs the lines"),
        (VALUE, [], "cell 1: a cell with '# solution begin' needs the tag 'solution'"),
        ("# solution begin\nx = 1", ["solution"], "'# solution begin' is not followed by '# solution end'"),
        ("x = 1\n# solution end", ["solution"], "'# solution end' without its counterpart"),
        ("# solution begin\n# solution begin\n# solution end", ["solution"], "without its counterpart"),
        ("# solution begin\nprint(1)\n# solution end", ["solution"], "may only assign names"),
        ("# solution begin\n# solution end", ["solution"], "may only assign names"),
        ("# solution begin\nx = (\n# solution end", ["solution"], "the solution is not Python"),
    ],
)
def test_wrong_marks_are_refused_with_the_cell(source: str, tags: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        student_copy(lesson(code(source, *tags)))


def test_stubs_fail_their_checks_and_solutions_pass_without_running_the_rest(notebook: NotebookNode) -> None:
    assert prove(notebook) == 2


@pytest.mark.parametrize(
    ("solution", "check", "message"),
    [
        (FUNCTION, "pass", "must say 'not done yet', but: passes"),
        (FUNCTION, "assert macs(3) == 9", "must say 'not done yet', but: NotImplementedError"),
        (
            FUNCTION.replace("**2", "**3"),
            FUNCTION_CHECK,
            "the solution check fails: ExerciseError: macs: .* is 27; 9 is",
        ),
        (FUNCTION.replace("area = k", "area = trained * k"), FUNCTION_CHECK, "raises NameError"),
        (
            "if True:\n    # solution begin\n    x = 1\n    # solution end",
            "pass",
            "the stub fails: NotImplementedError",
        ),
    ],
)
def test_an_exercise_that_proves_nothing_is_found(solution: str, check: str, message: str) -> None:
    with pytest.raises(ProofError, match=message):
        prove(lesson(code(solution, "solution"), code(check, "check")))


def test_a_solution_without_check_is_found() -> None:
    with pytest.raises(ValueError, match="cell 1: no cell tagged 'check' follows before the next solution"):
        prove(lesson(code(VALUE, "solution"), code(VALUE, "solution"), code(VALUE_CHECK, "check")))
    with pytest.raises(ValueError, match="cell 1: no cell tagged 'check' follows this solution"):
        prove(lesson(code(VALUE, "solution")))


def test_a_notebook_without_exercises_has_none_to_prove() -> None:
    assert prove(lesson(code("1 + 1"))) == 0


def test_the_command_writes_the_copies(notebook: NotebookNode, tmp_path: Path) -> None:
    nbformat.write(notebook, tmp_path / "01_lesson.ipynb")
    command = [sys.executable, "-m", "course_lib.authoring.student", "01_lesson.ipynb", "--out", "build/student"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout == "build/student/01_lesson.ipynb\n"
    assert result.stderr == ""
    assert nbformat.read(tmp_path / "build/student/01_lesson.ipynb", 4).cells[3].source.endswith('("your turn")')
    assert {path.name for path in (tmp_path / "build/student").iterdir()} == {"01_lesson.ipynb", "progress.json"}


def test_a_copy_is_never_overwritten_and_a_newer_lesson_is_written_beside_it_once(
    notebook: NotebookNode, tmp_path: Path
) -> None:
    master, out = tmp_path / "01_lesson.ipynb", tmp_path / "student"
    nbformat.write(notebook, master)
    (mine,) = write_copies([master], out)
    (out / "progress.json").write_text('{"exercises": ["macs"]}')
    worked_in = mine.read_text().replace("your turn", "my answer")
    mine.write_text(worked_in)
    notebook.cells[1].outputs = []  # what a student does not see is no change
    nbformat.write(notebook, master)
    assert write_copies([master], out) == []
    for names in (["01_lesson_newer.ipynb"], ["01_lesson_newer_2.ipynb"]):
        notebook.cells.append(new_markdown_cell("One more thought."))
        nbformat.write(notebook, master)
        assert [path.name for path in write_copies([master], out)] == names
        assert write_copies([master], out) == []
    assert mine.read_text() == worked_in
    assert (out / "progress.json").read_text() == '{"exercises": ["macs"]}'


def test_a_damaged_copy_is_left_to_its_student(notebook: NotebookNode, tmp_path: Path) -> None:
    master, out = tmp_path / "01_lesson.ipynb", tmp_path / "student"
    nbformat.write(notebook, master)
    write_copies([master], out)[0].write_text("{")
    assert [path.name for path in write_copies([master], out)] == ["01_lesson_newer.ipynb"]
    assert (out / "01_lesson.ipynb").read_text() == "{"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "the file is not a notebook"),
        ("{}", "the file is not a notebook"),
        ("[]", "the file is not a notebook"),
        (nbformat.writes(lesson(code(VALUE))), "needs the tag 'solution'"),
    ],
)
def test_the_command_refuses_a_bad_notebook_in_one_line_and_writes_nothing(
    content: str | None, message: str, notebook: NotebookNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "01_good.ipynb", tmp_path / "02_bad.ipynb"
    nbformat.write(notebook, good)
    if content is not None:
        bad.write_text(content)
    assert main([str(good), str(bad), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {bad}: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_copy_never_overwrites_its_master(notebook: NotebookNode, tmp_path: Path) -> None:
    path = tmp_path / "01_lesson.ipynb"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    assert main([str(path), "--out", str(tmp_path)]) == 2
    assert path.read_bytes() == before
