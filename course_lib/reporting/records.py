"""Recorded runs: results too long to make in a lesson, with all that is needed to make them again.

A record is a small JSON file under data/runs: the command, what it ran on, and a table of results. A lesson shows a
record as such, never in one column with what it measures live.
"""

from __future__ import annotations

import html
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
        rows: the results, one row a run or more. Rows of another machine name it in a column "machine". `seconds` and
            `cpu_seconds`, where they stand, are those of the whole run.
    """

    command: str
    data: str
    machine: dict[str, str]
    rows: pd.DataFrame

    @property
    def source(self) -> str:
        """One line to stand under a table: where the numbers come from."""
        machines = [(self.machine, len(self.rows))]
        if "machine" in self.rows:
            others = [machine for machine in self.rows["machine"] if isinstance(machine, dict)]
            distinct = [machine for number, machine in enumerate(others) if machine not in others[:number]]
            machines = [(self.machine, len(self.rows) - len(others))]
            machines += [(machine, others.count(machine)) for machine in distinct]
        told = [", ".join(f"{key} {value}" for key, value in machine.items()) for machine, count in machines if count]
        counts = [count for _, count in machines if count]
        if len(told) > 1:
            told = [f"{text}: {count} of the rows" for count, text in zip(counts, told, strict=True)]
        return f"Recorded by `{self.command}` on {self.data} ({'; '.join(told)})."

    def __repr__(self) -> str:
        return self.source

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, str]:
        return {"text/plain": self.source, "text/html": source_html(self.source)}


def source_html(source: str) -> str:
    """A record's source as a line below what a lesson shows of it."""
    return f'<p style="font-size: 85%; max-width: 75em">{html.escape(source)}</p>'


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
    for row in rows:
        if row.get("machine", {}) is None:  # a gap in the column: the row is of the record's machine
            del row["machine"]
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
