"""Each notebook runs twice in one kernel, cut off from the network, under nbval.

nbval runs each cell, fails on any exception and compares the outputs of the tagged cells with the stored ones. Given
the notebook's cells twice over, it compares both passes, so a cell that leaves something behind for the next fails too.
"""

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from course_lib.authoring.notebooks import CELL_TIMEOUT_S, KERNEL_START_S

OFFLINE = Path(__file__).parent / "offline"
# The bytes of a figure depend on the machine's fonts and libraries; its alternative text, with the numbers, does not.
SANITIZE = Path(__file__).parent / "sanitize.cfg"
LESSON_TIMEOUT_S = 3 * 3600
"""Both passes of a lesson take 4 minutes on two quiet cores; with an eighth of them half an hour is no fault."""


@dataclass(frozen=True)
class NbvalReport:
    """What nbval said: seconds and outcome (passed, failure, error, skipped) of each code cell, and all it printed."""

    seconds: list[float]
    outcomes: list[str]
    output: str


def run_blocked(arguments: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python in an environment that reaches only the loopback."""
    path = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def run_nbval(notebook: Path) -> NbvalReport:
    """Run a notebook under nbval-lax, cut off from the network."""
    report = notebook.with_suffix(".xml")
    options = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_S}", "--color=no"]
    options += ["--nbval-sanitize-with", str(SANITIZE), f"--nbval-kernel-startup-timeout={KERNEL_START_S}"]
    outside = [
        "-p",
        "nbval_patience",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        f"--rootdir={notebook.parent}",
        f"--junitxml={report}",
    ]
    finished = run_blocked(["-m", "pytest", *options, *outside, notebook.name], notebook.parent)
    cells = ElementTree.parse(report).findall(".//testcase")
    seconds = [float(cell.get("time", "0")) for cell in cells]
    return NbvalReport(seconds, [outcome(cell) for cell in cells], finished.stdout + finished.stderr)


def outcome(cell: ElementTree.Element) -> str:
    return next((child.tag for child in cell if child.tag in ("failure", "error", "skipped")), "passed")


def write_twice(notebook: Path, target: Path) -> int:
    """Write a notebook with all cells of `notebook` twice over; returns the number of code cells in one pass."""
    once = nbformat.read(notebook, as_version=4)
    again = copy.deepcopy(once.cells)
    for cell in again:
        cell["id"] += "-again"
    nbformat.write(nbformat.from_dict({**once, "cells": once.cells + again}), target)
    return sum(cell.cell_type == "code" for cell in once.cells)


@pytest.mark.timeout(LESSON_TIMEOUT_S)
def test_notebook_runs_twice_offline_with_the_stored_outputs(
    source: Path, notebooks_folder: Path, tmp_path: Path, report_line: Callable[[str], None]
) -> None:
    folder = shutil.copytree(notebooks_folder, tmp_path / "notebooks")
    twice = folder / f"{source.stem}_twice.ipynb"
    count = write_twice(source.with_suffix(".ipynb"), twice)
    run = run_nbval(twice)
    if run.outcomes != ["passed"] * (2 * count):
        where = [f"pass {index // count + 1}, code cell {index % count + 1}" for index in range(len(run.outcomes))]
        failed = [place for place, outcome in zip(where, run.outcomes, strict=True) if outcome != "passed"]
        pytest.fail(f"{len(run.outcomes)} of {2 * count} cells ran; not passed: {'; '.join(failed)}\n{run.output}")
    first, second = sum(run.seconds[:count]), sum(run.seconds[count:])
    report_line(f"{source.stem}: {first:.1f} s with the start of the kernel, {second:.1f} s again in the same kernel")


@pytest.mark.parametrize("address", ["192.0.2.1", "example.org"])
def test_the_block_refuses_other_machines(address: str) -> None:
    code = f"import socket; socket.create_connection(({address!r}, 9), timeout=1)"
    finished = run_blocked(["-c", code])
    assert f"the network is blocked in this test: tried to reach '{address}'" in finished.stderr


def test_the_block_lets_loopback_through() -> None:
    code = "import socket as s; server = s.create_server(('localhost', 0)); s.create_connection(server.getsockname())"
    finished = run_blocked(["-c", code])
    assert finished.returncode == 0, finished.stderr


def test_a_cell_that_depends_on_a_clean_kernel_fails_in_the_second_pass(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("count = globals().get('count', 0) + 1\nprint(count)", execution_count=1)
    cell.metadata["tags"] = ["nbval-check-output"]
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "counter.ipynb")
    write_twice(tmp_path / "counter.ipynb", tmp_path / "twice.ipynb")
    assert run_nbval(tmp_path / "twice.ipynb").outcomes == ["passed", "failure"]


def test_outputs_that_come_late_are_waited_for(tmp_path: Path) -> None:
    block = "import time\nget_ipython().kernel.iopub_thread.schedule(lambda: time.sleep(7))"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(block)]), tmp_path / "late.ipynb")
    run = run_nbval(tmp_path / "late.ipynb")
    assert run.outcomes == ["passed"], run.output
