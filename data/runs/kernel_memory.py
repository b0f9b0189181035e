"""Records the memory of a student's kernel: idle, after a lesson's imports, and at most while the first lesson runs.

    python data/runs/kernel_memory.py [--threads 1] [--tiny]

Private memory is what ending the kernel would give back (USS): what several kernels share, such as PyTorch's libraries,
does not count. `idle_private_gb` is a kernel that was just started, `imported_private_gb` one that has run the cells
tagged `setup`, `peak_private_gb` the most that looks every `BETWEEN_S` seconds found while the other cells ran.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import psutil
from lesson_times import watched_memory
from nbclient import NotebookClient
from recording import Recording, Row, read_options

RECORD = "kernel_memory"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSON = "01_inception_module"
BETWEEN_S = 0.02  # seconds: the highest peak, of one cell in lesson 1, is too short for ten looks a second


def measure(notebook: Path, threads: int, cells: int | None = None) -> Row:
    """Run a lesson, or so many of its cells after the imports; raises what its cells raise."""
    lesson = nbformat.read(notebook, as_version=4)
    numbered = list(enumerate(lesson.cells))
    setup = [(cell, number) for number, cell in numbered if "setup" in cell.metadata.get("tags", [])]
    rest = [(cell, number) for number, cell in numbered if (cell, number) not in setup][:cells]
    client = NotebookClient(lesson, timeout=None, resources={"metadata": {"path": str(notebook.parent)}})
    with client.setup_kernel(env={**os.environ, "OMP_NUM_THREADS": str(threads)}):
        idle = private_bytes(client)
        for cell, number in setup:
            client.execute_cell(cell, number)
        imported = private_bytes(client)
        with watched_memory(BETWEEN_S) as seen:
            for cell, number in rest:
                client.execute_cell(cell, number)
    measured = {"idle": idle, "imported": imported, "peak": max(seen)}
    return {f"{state}_private_gb": round(number / 1e9, 3) for state, number in measured.items()}


def private_bytes(client: NotebookClient) -> int:
    """Bytes that the client's kernel has to itself."""
    return psutil.Process(client.km.provisioner.pid).memory_full_info().uss


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {}, data=False, threads=1)
    cells = 2 if options.tiny else None
    recording = Recording(RECORD, options, "the lessons' own images")
    for run in recording.missing([{"lesson": LESSON, "threads": options.threads}]):
        recording.add(run, measure(NOTEBOOKS / f"{run.key['lesson']}.ipynb", options.threads, cells))


if __name__ == "__main__":
    main()
