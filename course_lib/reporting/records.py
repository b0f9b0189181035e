"""Recorded runs: results too long to make in a lesson, with all that is needed to make them again.

A record is a small JSON file under data/runs: the command, what it ran on, and a table of results. A lesson shows a
record as such, never in one column with what it measures live.
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from course_lib.files import write_whole
from course_lib.reporting.record_files import FOLDER, RecordError, read_record

__all__ = ["FOLDER", "Record", "RecordError", "load_record", "save_record", "this_machine"]

PACKAGES = ("torch", "torchvision", "numpy")


@dataclass(frozen=True)
class Record:
    """What was run, on what, and what came out.

    Attributes:
        command: the command line that makes the record again, from the repository's root.
        data: the images used, and what must be known of them to read the numbers.
        machine: processor, threads, number format and versions of the libraries.
        rows: the results, one row a run.
    """

    command: str
    data: str
    machine: dict[str, str]
    rows: pd.DataFrame

    @property
    def source(self) -> str:
        """One line to stand under a table: where the numbers come from."""
        machine = ", ".join(f"{key} {value}" for key, value in self.machine.items())
        return f"Recorded by `{self.command}` on {self.data} ({machine})."


def load_record(name: str, folder: Path = FOLDER) -> Record:
    """The record `name` under data/runs.

    Raises:
        RecordError: there is no such record, or it is not one; the message names the file.
    """
    content = read_record(name, folder)
    return Record(content["command"], content["data"], content["machine"], pd.DataFrame(content["rows"]))


def save_record(name: str, record: Record, folder: Path = FOLDER) -> Path:
    """Writes the record, whole or not at all, and returns its path."""
    path = folder / f"{name}.json"
    rows = json.loads(record.rows.to_json(orient="records"))
    lines = ",\n  ".join(json.dumps(row) for row in rows)
    head = {"command": record.command, "data": record.data, "machine": record.machine}
    text = json.dumps(head, indent=1)[:-2] + f',\n "rows": [\n  {lines}\n ]\n}}\n'
    write_whole(path, text.encode())
    return path


def this_machine(device: str, bf16: bool, threads: int) -> dict[str, str]:
    """Processor, threads, number format and versions, as a record states them."""
    return {
        "processor": _processor() if device == "cpu" else device,
        "threads": str(threads),
        "format": "bfloat16" if bf16 else "float32",
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def _processor() -> str:
    """The processor's name; Linux tells more than `platform` does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
