"""Makes the course's notebooks from their sources, and tells whether the two are in step.

Each notebook is a pair in one folder: `NN_topic.py` (py:percent, the source that people edit and review) and
`NN_topic.ipynb` (the same cells, executed). The notebook is always made from the source:

    python -m course_lib.authoring.notebooks build [SOURCE.py ...]    # pair and execute; without a name, all
    python -m course_lib.authoring.notebooks retext [SOURCE.py ...]   # only text has changed: keep the outputs
    python -m course_lib.authoring.notebooks check [SOURCE.py ...]    # are the pairs in step and executed?

The header of a source carries the settings in `JUPYTEXT_SETTINGS`, the kernel `python3` and, for a lesson, what the
start page lists:

    course: {title: Factorized convolutions, minutes_read: 40, minutes_run: 2}

A build notes the SHA-256 of the source's text in the notebook, as `metadata.course_build.source_sha256`: pairing
compares only the cells, so without it a notebook could show outputs of an older source. This key and all else that a
build adds stay out of the source.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from course_lib.authoring.generated_cells import refresh
from course_lib.authoring.static_outputs import keep_static
from course_lib.files import write_whole
from course_lib.teaching.sources import (
    SOURCE_PATTERN,
    NotebookError,
    find_sources,
    read_notebook,
    read_source,
    source_text,
)

CELL_TIMEOUT_S = 1800
"""Longest a single cell may run, in seconds, against a cell that never ends. A training cell has a budget of 45 s on
two quiet cores; a shared machine may give a small fraction of them, and being slow is no fault."""
KERNEL_START_S = 600
"""Longest a kernel may take to answer at first, in seconds."""
JUPYTEXT_SETTINGS = {
    "formats": "ipynb,py:percent",
    "notebook_metadata_filter": (
        "kernelspec,jupytext,course,-jupytext.text_representation.jupytext_version,-widgets,-language_info"
    ),
    "cell_metadata_filter": "tags,slideshow,-all",
}
KERNEL_NAME = "python3"
COMPARED_TAG = "nbval-check-output"
FAILS_TAG = "raises-exception"
FOLDED_TAG = "folded"
"""On a cell whose source is not for the class to read before its output, such as a quiz with its answers."""
SETUP_TAG = "setup"
"""On the cell of imports, folded too; exercises and their checks may use what it makes."""


def build(source: Path) -> Path:
    """Make the notebook beside `source`: pair, execute, note the source's hash; returns its path.

    The source's generated cells are brought up to date first.

    The notebook appears in one piece or not at all: raises NotebookError when a cell fails, runs longer than
    CELL_TIMEOUT_S or ends the kernel, and then leaves the former notebook as it was.
    """
    notebook, digest = _paired(source)
    _execute(notebook, source)
    keep_static(notebook)
    return _write(notebook, digest, source)


def retext(source: Path) -> Path:
    """As `build`, but nothing is executed: the outputs of the former notebook are kept. For a change of the text, or of
    the links to other lessons, and of nothing else.

    Raises:
        NotebookError: the code has changed since the notebook was executed, or there is no executed notebook.
    """
    notebook, digest = _paired(source)
    former = read_notebook(source.with_suffix(".ipynb"))
    before, now = ([cell.source for cell in code_cells(each)] for each in (former, notebook))
    if before != now or any(cell.execution_count is None for cell in code_cells(notebook)):
        raise NotebookError(f"{source.name}: its code has changed since it was executed: run `make notebooks`")
    return _write(notebook, digest, source)


def _paired(source: Path) -> tuple[NotebookNode, str]:
    """The notebook of `source`, with outputs of the former one where cells are the same, and the source's hash."""
    text = refresh(source)
    if text != source_text(source):
        write_whole(source, text.encode())
    notebook = read_source(source)
    digest = _sha256(source)  # before the run: an edit during a long run must show as a difference
    with suppress(NotebookError):  # as `jupytext --update`: a cell folded in JupyterLab stays folded
        notebook = combine_inputs_with_outputs(notebook, read_notebook(source.with_suffix(".ipynb")))
    _name_cells(notebook)
    _fold(notebook)
    return notebook, digest


def _write(notebook: NotebookNode, digest: str, source: Path) -> Path:
    target = source.with_suffix(".ipynb")
    notebook.metadata["course_build"] = {"source_sha256": digest}
    write_whole(target, f"{nbformat.writes(notebook).rstrip()}\n".encode())
    return target


def find_problems(source: Path) -> list[str]:
    """What keeps the pair of `source` from being in step and executed, one sentence each; empty when all is well."""
    target = source.with_suffix(".ipynb")
    problems = _header_problems(read_source(source))
    if refresh(source) != source_text(source):
        problems.append("its guard or its links to other lessons are out of date: run `make notebooks`")
    if not target.exists():
        return [*problems, f"{target.name} is missing: run `make notebooks`"]
    try:
        notebook = read_notebook(target)
    except NotebookError as error:
        return [*problems, f"{error}: run `make notebooks`"]
    drift = _first_difference(jupytext.writes(notebook, fmt="py:percent"), source_text(source))
    if drift:
        problems.append(f"{target.name} and {source.name} differ, first here: {drift}")
    if notebook.metadata.get("course_build", {}).get("source_sha256") != _sha256(source):
        problems.append(f"{target.name} was not made from this {source.name}: run `make notebooks`")
    return problems + _cell_problems(notebook)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that hold code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def has_tag(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def _sha256(source: Path) -> str:
    return hashlib.sha256(source_text(source).encode()).hexdigest()


def _name_cells(notebook: NotebookNode) -> None:
    """Name each cell after its text: the source holds no names, and random ones would differ at every build."""
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        cell["id"] = f"{digest}-{seen[digest]}"
        seen[digest] += 1


def _fold(notebook: NotebookNode) -> None:
    for cell in code_cells(notebook):
        if has_tag(cell, FOLDED_TAG) or has_tag(cell, SETUP_TAG):
            cell.metadata["jupyter"] = {"source_hidden": True}


def _execute(notebook: NotebookNode, source: Path) -> None:
    running: dict[str, Any] = {"number": 0, "cell": None}

    def note_start(cell: NotebookNode, cell_index: int) -> None:
        running.update(number=cell_index + 1, cell=cell)

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=KERNEL_START_S,
        kernel_name=KERNEL_NAME,
        resources={"metadata": {"path": str(source.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        on_cell_start=note_start,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        reasons = {CellTimeoutError: f"ran longer than {CELL_TIMEOUT_S} s", DeadKernelError: "the kernel died"}
        reason = reasons.get(type(error)) or f"{error.ename}: {error.evalue}"
        first_line = running["cell"].source.strip().partition("\n")[0]
        message = f"{source.with_suffix('.ipynb').name}, cell {running['number']} (`{first_line}`): {reason}"
        raise NotebookError(message) from error


def _header_problems(notebook: NotebookNode) -> Iterable[str]:
    found = notebook.metadata.get("jupytext", {})
    problems = [
        f"the header's jupytext.{key} is {found.get(key)!r}; it should be {value!r}"
        for key, value in JUPYTEXT_SETTINGS.items()
        if found.get(key) != value
    ]
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    if kernel != KERNEL_NAME:
        problems.append(f"the header's kernelspec.name is {kernel!r}; it should be {KERNEL_NAME!r}")
    return problems


def _cell_problems(notebook: NotebookNode) -> list[str]:
    problems = []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if cell.execution_count is None:
            problems.append(f"cell {number} was not executed: run `make notebooks`")
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors and not has_tag(cell, FAILS_TAG):
            problems.append(f"cell {number} shows {errors[0].ename}: {errors[0].evalue}")
    return problems


def _first_difference(paired: str, written: str) -> str:
    changed = (line for line in difflib.ndiff(paired.splitlines(), written.splitlines()) if line[:2] in ("- ", "+ "))
    return next(changed, "")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 when a notebook failed or is out of step."""
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.authoring.notebooks", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("command", choices=["build", "retext", "check"])
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE.py", help="default: all in notebooks/")
    options = parser.parse_args(arguments)
    sources = options.sources or find_sources(Path("notebooks"))
    if not sources:
        print(f"notebooks/ holds no sources ({SOURCE_PATTERN}): run this in the project's folder", file=sys.stderr)
        return 1
    failures = 0
    for source in sources:
        try:
            problems = find_problems(source) if options.command == "check" else []
            if options.command != "check":
                print(f"made {(build if options.command == 'build' else retext)(source)}", flush=True)
        except NotebookError as error:
            problems = [str(error)]
        failures += len(problems)
        for problem in problems:
            print(f"{source.name}: {problem}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
