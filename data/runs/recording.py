"""What the recorded runs on CIFAR-10 share: images, a training run that can be interrupted, and a record that grows row
by row and goes on where it stopped."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from course_lib import datasets
from course_lib.architecture import Node, build, total
from course_lib.datasets import ImageData, Split
from course_lib.models import merge_model
from course_lib.models.creation import initialize
from course_lib.reporting.records import FOLDER, Record, load_record, save_record, this_machine
from course_lib.training import Recipe, default_device, evaluate, fit, has_bf16

CHECKPOINTS = FOLDER.parents[1] / "runs"
HELD_OUT = 10  # one of so many training images is held out, to choose by
WATCHED = 500  # of those held out, where a run is only watched and nothing is chosen
SHAPE, CLASSES = (3, 32, 32), 10

Row = dict[str, Any]


def parser(doc: str, **defaults: int) -> argparse.ArgumentParser:
    """A parser of the script with this docstring: its data, and a whole number for each default."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--data", required=True, metavar="FOLDER", help="CIFAR-10 as train/<class>/ and test/<class>/")
    for name, default in defaults.items():
        made.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    return made


def load_images(folder: str) -> tuple[ImageData, Split]:
    """The training images, of which a tenth is the `test` split, to choose by; and the real test images."""
    data = datasets.load("image_folder", Path(folder))
    return data.hold_out(len(data.train) // HELD_OUT), data.test


def load_few_images(folder: str, train: int | None) -> tuple[ImageData, Split]:
    """As `load_images`, with so many of the training images, or all, and `WATCHED` of those held out."""
    data, test = load_images(folder)
    return data.subset(train=train, test=min(WATCHED, len(data.test))), test


def load_all_images(folder: str, train: int) -> tuple[ImageData, Split]:
    """The first so many training images in the data set's shuffled order, none held out; `test` is `WATCHED` of these
    same ones, to watch a run by. And the real test images."""
    data = datasets.load("image_folder", Path(folder))
    few = data.subset(train=train) if train < len(data.train) else data
    watched = Split(few.train.images[:WATCHED], few.train.labels[:WATCHED])
    return replace(few, test=watched), data.test


def describe_all_images(data: ImageData, test: Split) -> str:
    return (
        "CIFAR-10 recompressed as JPEG, so that accuracies do not compare with published ones: "
        f"{len(data.train):,} images to train, none held out, {len(test):,} to test"
    )


def describe_images(data: ImageData, test: Split) -> str:
    return (
        "CIFAR-10 recompressed as JPEG, so that accuracies do not compare with published ones: "
        f"{len(data.train):,} images to train, {len(data.test):,} others held out to choose by, {len(test):,} to test"
    )


def sizes(value: Node) -> Row:
    """Parameters and multiply-accumulates for one image, auxiliary heads included."""
    cost = total(value, SHAPE)
    return {"params": cost.params, "macs": cost.macs}


def make_model(value: Node, seed: int) -> nn.Module:
    """The network in its merged form, initialised after He et al. with and without batch normalisation."""
    torch.manual_seed(seed)
    model = build(value, SHAPE[0])
    initialize(model)
    return merge_model(model)


def train(model: nn.Module, data: ImageData, test: Split, recipe: Recipe, checkpoints: Path) -> Row:
    """Train as `fit` does, and judge on the test images, once, at the end.

    Returns:
        Training loss of the last epoch, loss and accuracy on the test images, and seconds of training.

    Raises:
        DivergedError: as `fit`.
        SystemExit: the run was interrupted; the next one goes on from its checkpoints.
    """
    started = time.process_time()
    history = fit(model, data, recipe, checkpoints=checkpoints)
    cpu_seconds = time.process_time() - started
    if len(history) < recipe.epochs:
        raise SystemExit("Interrupted; the same command goes on from here.")
    result = evaluate(model, test, data)
    return {
        "train_loss": round(history["train_loss"].iloc[-1], 4),
        "test_accuracy": round(result.accuracy, 4),
        "test_loss": round(result.loss, 4),
        "seconds": round(history["seconds"].sum(), 1),
        "cpu_seconds": round(cpu_seconds, 1),
    }


class Recording:
    """A record on disk, saved after each row; its rows go on if it is there.

    Args:
        name: of the record and of its script.
        options: the script's; they become the record's command, with the data in a folder beside the course.
        images: as `describe_images` gives it.
        machine: as `this_machine` gives it; default is this one, in the number format that `fit` takes.

    Raises:
        SystemExit: the record there was made by another command.
    """

    def __init__(
        self, name: str, options: argparse.Namespace, images: str, machine: dict[str, str] | None = None
    ) -> None:
        device = default_device()
        self.name, self.images = name, images
        self.machine = machine or this_machine(device.type, has_bf16(device), torch.get_num_threads())
        given = {**vars(options), "data": Path(options.data).name}
        self.command = f"python data/runs/{name}.py " + " ".join(f"--{key} {value}" for key, value in given.items())
        self.rows: list[Row] = []
        path = FOLDER / f"{name}.json"
        if path.exists():
            record = load_record(name, FOLDER)
            if record.command != self.command:
                raise SystemExit(f"{path} was made by `{record.command}`; go on with that command, or delete the file.")
            self.rows = record.rows.astype(object).where(record.rows.notna(), None).to_dict("records")

    def missing(self, keys: Iterable[Row]) -> Iterator[tuple[Row, Path]]:
        """The keys of which no row is there yet, each with a folder for its checkpoints, removed after its turn."""
        for key in keys:
            if not any(key.items() <= row.items() for row in self.rows):
                checkpoints = CHECKPOINTS / self.name / "_".join(map(str, key.values()))
                yield key, checkpoints
                shutil.rmtree(checkpoints, ignore_errors=True)

    def add(self, *rows: Row) -> None:
        """Append rows and save the record."""
        self.rows += rows
        save_record(self.name, Record(self.command, self.images, self.machine, pd.DataFrame(self.rows)), FOLDER)
