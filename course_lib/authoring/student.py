"""Student copies of lessons: the solutions are the master, the stubs are made from them.

In a lesson, a cell tagged `solution` holds the solution between two comments of their own:

    def saving(kernel_size):
        # solution begin
        return 1 - 2 * 9 / kernel_size**2
        # solution end

Inside a function the student copy has `raise NotImplementedError("your turn")` there. At the left margin the lines
may only assign names, and the copy has `name = ...` for each. The next cell tagged `check` tests the answer. A cell
tagged `solution-only`, such as a worked derivation, is left out of the copy. Cells tagged `setup` import what
exercises and checks need.
"""

import argparse
import ast
import copy
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert.preprocessors import TagRemovePreprocessor
from nbformat import NotebookNode

from course_lib.authoring.notebooks import CELL_TIMEOUT_S, KERNEL_START_S
from course_lib.errors import CourseError
from course_lib.files import write_whole
from course_lib.teaching.lessons import NEWER
from course_lib.teaching.progress import start_progress
from course_lib.teaching.sources import NotebookError, read_notebook

BEGIN, END = "# solution begin", "# solution end"
KEPT_OUTPUT_TAG = "keep-output"
KEPT_METADATA = ("kernelspec", "language_info", "course")
_YOUR_TURN = 'raise NotImplementedError("your turn")'


class ProofError(CourseError):
    """An exercise whose stub passes its check, or whose solution does not."""


def student_copy(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with a stub in place of each solution, without outputs and without `solution-only` cells.

    Of the notebook's metadata kernel, language and the lesson's header stay: a copy is not paired with a source.
    A cell tagged `keep-output`, such as the start page's list of lessons, keeps its output.

    Raises:
        ValueError: if the marks in a cell are missing, unbalanced, or enclose what cannot be made into a stub.
    """
    kept, _ = TagRemovePreprocessor(remove_cell_tags={"solution-only"}).preprocess(_with_stubs(notebook), {})
    for cell in kept.cells:
        if cell.cell_type == "code" and KEPT_OUTPUT_TAG not in _tags(cell):
            cell.outputs, cell.execution_count = [], None
    kept.metadata = NotebookNode({key: value for key, value in kept.metadata.items() if key in KEPT_METADATA})
    return kept


def mark_for_nbgrader(notebook: NotebookNode) -> NotebookNode:
    """Return a student copy whose exercises nbgrader grades: one point for each check that passes.

    The stub becomes nbgrader's solution cell, the check its locked test cell. As the stubs are there already, nbgrader
    must not put in its own: `nbgrader generate_assignment LESSON --ClearSolutions.enabled=False`.

    Raises:
        ValueError: if a solution has no check before the next solution.
    """
    notebook = copy.deepcopy(notebook)
    for number, (solution, check) in enumerate(_exercises(notebook.cells), start=1):
        form = {"schema_version": 3, "cell_type": "code", "task": False}
        answer = {"grade_id": f"exercise-{number}", "solution": True, "grade": False, "locked": False}
        test = {"grade_id": f"check-{number}", "solution": False, "grade": True, "locked": True, "points": 1}
        notebook.cells[solution].metadata["nbgrader"] = NotebookNode(form | answer)
        notebook.cells[check].metadata["nbgrader"] = NotebookNode(form | test)
    return notebook


def prove(notebook: NotebookNode, folder: str | Path = ".") -> int:
    """Run each exercise as stub and as solution; return how many exercises were proven.

    Only the cells tagged `setup`, the solutions and their checks run, in one kernel started in `folder`, so nothing
    is trained. Exercises and checks may therefore use nothing that other cells make.

    Raises:
        ProofError: if a stub does not fail its check with "not done yet", or a solution does not pass.
        ValueError: if a solution has no check before the next solution, or as `student_copy`.
    """
    master, stubs = notebook.cells, _with_stubs(notebook).cells
    cells = [_runnable(cell, "setup") for cell in master if "setup" in _tags(cell)]
    exercises = list(_exercises(master))
    for solution, check in exercises:
        cells += [
            _runnable(stubs[solution], "stub"),
            _runnable(master[check], "stub check", may_fail=True),
            _runnable(master[solution], "solution"),
            _runnable(master[check], "solution check"),
        ]
    if exercises:
        _run(nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata), folder)
    return len(exercises)


def write_copies(notebooks: Iterable[Path], out: Path, nbgrader: bool = False) -> list[Path]:
    """Write the student copy of each notebook into the folder `out` and return the paths written.

    A copy that is there already is the student's and stays as it is. If the lesson has changed since that copy was
    made, the newer one is written beside it, once, as `NN_topic_newer.ipynb`, `NN_topic_newer_2.ipynb` and so on. The
    folder gets a progress file, too. Nothing is written unless every copy can be made. With `nbgrader`, exercises are
    marked for it, as by `mark_for_nbgrader`.

    Raises:
        ValueError: naming the notebook that is missing, unreadable, marked wrongly, or would overwrite itself or
        another.
    """
    copies: dict[Path, NotebookNode] = {}
    for source in notebooks:
        target = out / source.name
        if target in copies or target.resolve() == source.resolve():
            raise ValueError(
                f"{source}: its student copy would overwrite {target}; choose another folder for the copies"
            )
        try:
            copied = student_copy(read_notebook(source))
            copies[target] = mark_for_nbgrader(copied) if nbgrader else copied
        except (OSError, ValueError) as error:
            raise ValueError(f"{source}: {error}") from error
    out.mkdir(parents=True, exist_ok=True)
    start_progress(out)
    written = []
    for target, notebook in copies.items():
        digest = _digest(notebook)
        present = [target, *sorted(out.glob(f"{target.stem}{NEWER}*.ipynb"))]
        if digest not in map(_recorded_digest, present):
            notebook.metadata["course_copy"] = {"sha256": digest}
            written.append(_free_path(target))
            write_whole(written[-1], f"{nbformat.writes(notebook).rstrip()}\n".encode())
    return written


def _digest(notebook: NotebookNode) -> str:
    """Tells lessons apart by what a student reads in them; outputs and solutions do not count."""
    content = json.dumps([(cell.cell_type, cell.source) for cell in notebook.cells])
    return hashlib.sha256(content.encode()).hexdigest()


def _recorded_digest(path: Path) -> str | None:
    """The digest of the lesson from which a copy was made, None if there is no copy or it does not say."""
    try:
        return read_notebook(path).metadata.get("course_copy", {}).get("sha256")
    except NotebookError:
        return None


def _free_path(target: Path) -> Path:
    path, number = target, 1
    while path.exists():
        path = target.with_stem(f"{target.stem}{NEWER}{f'_{number}' if number > 1 else ''}")
        number += 1
    return path


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _with_stubs(notebook: NotebookNode) -> NotebookNode:
    """Return a copy of the notebook in which each solution is replaced by its stub."""
    notebook = copy.deepcopy(notebook)
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            cell.source = _stub(cell, number)
    return notebook


def _stub(cell: NotebookNode, number: int) -> str:
    """Return the cell's source with each marked part replaced by a stub."""
    lines: list[str] = []
    hidden: list[str] | None = None
    marked = False
    for line in cell.source.splitlines():
        mark = line.strip()
        if mark not in (BEGIN, END):
            (lines if hidden is None else hidden).append(line)
        elif (mark == BEGIN) != (hidden is None):
            raise ValueError(f"cell {number}: {mark!r} without its counterpart before it")
        elif mark == BEGIN:
            hidden, marked, indent = [], True, line[: len(line) - len(line.lstrip())]
        else:
            lines += [indent + text for text in _replacement(hidden, indent, number)]
            hidden = None
    if hidden is not None:
        raise ValueError(f"cell {number}: {BEGIN!r} is not followed by {END!r}")
    if marked and "solution" not in _tags(cell):
        raise ValueError(f"cell {number}: a cell with {BEGIN!r} needs the tag 'solution'")
    if not marked and "solution" in _tags(cell):
        raise ValueError(f"cell {number}: a cell tagged 'solution' needs the lines {BEGIN!r} and {END!r}")
    return "\n".join(lines)


def _replacement(hidden: list[str], indent: str, number: int) -> list[str]:
    if indent:
        return [_YOUR_TURN]
    try:
        statements = ast.parse("\n".join(hidden)).body
    except SyntaxError as error:
        raise ValueError(f"cell {number}: the solution is not Python: {error}") from error
    if not statements or not all(isinstance(statement, ast.Assign | ast.AnnAssign) for statement in statements):
        raise ValueError(
            f"cell {number}: a solution at the left margin may only assign names; set the marks inside the function"
        )
    targets = [t for s in statements for t in (s.targets if isinstance(s, ast.Assign) else [s.target])]
    names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return [f"{name} = ...  # your turn" for name in dict.fromkeys(names)]


def _exercises(cells: list[NotebookNode]) -> Iterator[tuple[int, int]]:
    """Yield for each solution its position and that of the check that follows it."""
    waiting: int | None = None
    for number, cell in enumerate(cells):
        if "solution" in _tags(cell):
            if waiting is not None:
                raise ValueError(f"cell {waiting}: no cell tagged 'check' follows before the next solution")
            waiting = number
        elif "check" in _tags(cell) and waiting is not None:
            yield waiting, number
            waiting = None
    if waiting is not None:
        raise ValueError(f"cell {waiting}: no cell tagged 'check' follows this solution")


def _runnable(cell: NotebookNode, role: str, may_fail: bool = False) -> NotebookNode:
    tags = ["raises-exception"] if may_fail else []
    return nbformat.v4.new_code_cell(cell.source, metadata={"tags": tags, "role": role})


def _run(notebook: NotebookNode, folder: str | Path) -> None:
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=KERNEL_START_S,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        failed = next(c for c in notebook.cells if any(o.output_type == "error" for o in c.outputs) and not _tags(c))
        raise ProofError(f"the {failed.metadata.role} fails: {error.ename}: {error.evalue}\n{failed.source}") from error
    for cell in notebook.cells:
        errors = [f"{o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"]
        if _tags(cell) and not (errors and errors[0].startswith("ExerciseError: ") and ": not done yet" in errors[0]):
            found = errors[0] if errors else "passes"
            raise ProofError(f"the check of a stub must say 'not done yet', but: {found}\n{cell.source}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 2 after one line on standard error if a copy cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.authoring.student")
    parser.description = (
        "Write student copies: stubs in place of solutions, no outputs. A copy that is there stays as it is; "
        "if its lesson has changed, the newer one is written beside it."
    )
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="a lesson, .ipynb")
    parser.add_argument("--out", type=Path, default=Path("build/student"), help="folder of the copies (%(default)s)")
    parser.add_argument("--nbgrader", action="store_true", help="mark exercises and checks for nbgrader's grading")
    options = parser.parse_args(arguments)
    try:
        written = write_copies(options.notebooks, options.out, options.nbgrader)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path in written:
        print(f"{path} (a newer lesson; your copy stays as it is)" if NEWER in path.stem else path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
