"""Records what each lesson takes to run: seconds and memory, with all instructions and with those of a laptop.

    python data/runs/lesson_times.py [--threads 2] [--tiny]

`seconds` is the time from the kernel's start to the last cell, `peak_private_gb` the most memory that the kernel had to
itself. `images_per_second` is the machine's speed in training, measured just before in the same way. "AVX2" stands for
laptops without bfloat16: oneDNN, MKL and PyTorch's own kernels are held to that instruction set. Run it on a quiet
machine; an interrupted recording goes on with the lessons that are left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from recording import Recording, Row, read_options

from course_lib.reporting.lesson_times import RECORD

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
ALL, LAPTOP = "all", "AVX2"  # the latter is what laptops without bfloat16 have, by its name in oneDNN and PyTorch
HELD_TO = {
    ALL: {},
    LAPTOP: {"ONEDNN_MAX_CPU_ISA": LAPTOP, "ATEN_CPU_CAPABILITY": LAPTOP.lower(), "MKL_ENABLE_INSTRUCTIONS": LAPTOP},
}
SPEED = "from course_lib.training.speed import training_speed; print(training_speed())"
BETWEEN_S = 0.1  # two looks at the memory


def environment(instructions: str, threads: int) -> dict[str, str]:
    return {**os.environ, **HELD_TO[instructions], "OMP_NUM_THREADS": str(threads)}


@contextmanager
def watched_memory(between_s: float = BETWEEN_S) -> Iterator[list[int]]:
    """Bytes that processes started by this one have to themselves, in a list that grows, looked up so often."""
    seen: list[int] = [0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(between_s):
            private = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    private += process.memory_full_info().uss
                except psutil.Error:
                    continue  # it has ended meanwhile
            seen.append(private)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def measure(notebook: Path, env: dict[str, str]) -> Row:
    """Run the notebook once; raises what its cells raise."""
    said = subprocess.run([sys.executable, "-c", SPEED], env=env, capture_output=True, text=True, check=True).stdout
    client = NotebookClient(
        nbformat.read(notebook, as_version=4), timeout=None, resources={"metadata": {"path": str(notebook.parent)}}
    )
    started = time.perf_counter()
    with watched_memory() as seen:
        client.execute(env=env)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "images_per_second": round(float(said), 1),
        "peak_private_gb": round(max(seen) / 1e9, 3),
    }


def main(arguments: list[str] | None = None) -> None:
    options = read_options(__doc__, arguments, {"threads": 1}, data=False, threads=2)
    lessons = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    lessons = lessons[:1] if options.tiny else lessons
    recording = Recording(RECORD, options, "the lessons' own images")
    keys = [
        {"instructions": instructions, "threads": options.threads, "lesson": lesson}
        for instructions, lesson in product(reversed(HELD_TO), lessons)
    ]
    for run in recording.missing(keys):
        env = environment(run.key["instructions"], options.threads)
        recording.add(run, measure(NOTEBOOKS / f"{run.key['lesson']}.ipynb", env))


if __name__ == "__main__":
    main()
