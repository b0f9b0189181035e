"""How all record scripts record: a record that grows by runs, keeps what is still asked for and says what is left."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from course_lib.reporting.records import FOLDER, Record, load_record, save_record, this_machine
from course_lib.training import default_device, has_bf16

RUNS = FOLDER.parents[1] / "runs"
CHECKPOINTS = RUNS / "recording"
TINY_FOLDER = RUNS / "tiny"

Row = dict[str, Any]


def read_options(
    doc: str, arguments: Sequence[str] | None, tiny: Mapping[str, float], *, data: bool = True, **defaults: float
) -> argparse.Namespace:
    """The options of the script with this docstring.

    Args:
        arguments: of the command line; None takes the program's own.
        tiny: what the numbers are with `--tiny`, the form that a test runs.
        data: whether the script reads CIFAR-10 from `--data FOLDER`; its tiny form draws pictures by chance instead.
        defaults: the script's numbers, whole or not as their defaults.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="the smallest run, recorded apart, to see that it runs")
    if data:
        parser.add_argument("--data", metavar="FOLDER", help="CIFAR-10 as train/<class>/ and test/<class>/")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), help=f"default {default}")
    options = parser.parse_args(arguments)
    if data and not options.tiny and not options.data:
        parser.error("--data FOLDER is needed: CIFAR-10 as train/<class>/ and test/<class>/.")
    for name, default in defaults.items():
        given = getattr(options, name)
        if given is None:
            setattr(options, name, tiny[name] if options.tiny and name in tiny else default)
        elif not given > 0:
            parser.error(f"--{name} is {given}; it must be above 0.")
    return options


@dataclass(frozen=True)
class Run:
    """One run to make.

    Attributes:
        key: what is run: settings and seed; they stand in each of its rows.
        checkpoints: a folder for it, removed once its rows are saved.
        resumed: whether an earlier, interrupted one left something there.
    """

    key: Row
    checkpoints: Path
    resumed: bool


class Recording:
    """A record on disk, saved whole after each run; a changed command keeps the rows that are still asked for.

    Args:
        name: of the record and of its script.
        options: the script's, as `read_options` gives them; they become the record's command.
        images: the pictures used, and what must be known of them to read the numbers.
        machine: as `this_machine` gives it; default is this one, in the number format that `fit` takes.
    """

    def __init__(
        self, name: str, options: argparse.Namespace, images: str, machine: dict[str, str] | None = None
    ) -> None:
        device = default_device()
        self.name, self.images = name, images
        self.machine = machine or this_machine(device.type, has_bf16(device), torch.get_num_threads())
        self.folder = TINY_FOLDER if options.tiny else FOLDER
        self.command = _command(name, options)
        self.rows: list[Row] = []
        # Rows that name no machine are of this one; older rows keep the one that their record named.
        self.main_machine = self.machine
        path = self.folder / f"{name}.json"
        if path.exists():
            self.main_machine = load_record(name, self.folder).machine
            # As they were saved: in a table, whole numbers in a column with gaps would have become floats.
            rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
            self.rows = [
                {key: value for key, value in row.items() if value is not None or key != "machine"} for row in rows
            ]
        self._begun: tuple[float, float] = (0.0, 0.0)

    def missing(self, keys: Sequence[Row]) -> Iterator[Run]:
        """The runs of which no row is there yet, in order. Rows that no key asks for are dropped, and named."""
        kept = [row for row in self.rows if any(key.items() <= row.items() for key in keys)]
        if len(kept) < len(self.rows):
            dropped = [row for row in self.rows if row not in kept]
            print(f"{self.name}: {len(dropped)} rows are no longer asked for and dropped:", *dropped, sep="\n  ")
            self.rows = kept
        todo = [key for key in keys if not any(key.items() <= row.items() for row in self.rows)]
        if self.rows:
            self._save()
        spent: list[float] = []
        for number, key in enumerate(todo):
            left = f", about {_written(sum(spent) / len(spent) * (len(todo) - number))} left" if spent else ""
            print(f"{self.name}: run {number + 1} of {len(todo)}{left}: {_describe(key)}", flush=True)
            checkpoints = CHECKPOINTS / self.name / "_".join(str(value).replace("/", "-") for value in key.values())
            self._begun = time.perf_counter(), time.process_time()
            yield Run(key, checkpoints, checkpoints.exists())
            spent.append(time.perf_counter() - self._begun[0])
            shutil.rmtree(checkpoints, ignore_errors=True)

    def add(self, run: Run, *rows: Row) -> None:
        """Add the rows of a run, each with its key, and save the record.

        A row gets `seconds` and `cpu_seconds`, which the whole run has taken, unless it has its own; a run that was
        taken up again has no `cpu_seconds`. It gets `machine`, if that differs from the one of the record.
        """
        wall, cpu = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]
        taken = {"seconds": round(wall, 1), "cpu_seconds": round(cpu, 1)}
        spent = dict.fromkeys(taken) if run.resumed else taken
        elsewhere = {} if self.machine == self.main_machine else {"machine": self.machine}
        self.rows += [{**run.key, **spent, **row, **elsewhere} for row in rows]
        self._save()

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = pd.DataFrame(self.rows, dtype=object)
        save_record(self.name, Record(self.command, self.images, self.main_machine, rows), self.folder)


def _command(name: str, options: argparse.Namespace) -> str:
    given = {key: value for key, value in vars(options).items() if value is not None and key != "tiny"}
    if "data" in given:
        given["data"] = Path(given["data"]).resolve().name
    words = ["python", f"data/runs/{name}.py", *["--tiny"] * options.tiny]
    return " ".join([*words, *(f"--{key} {value}" for key, value in given.items())])


def _describe(key: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in key.items())


def _written(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
