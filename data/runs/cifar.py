"""What the recorded runs on CIFAR-10 share: the pictures, and a training run that can be interrupted."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from recording import Row, Run
from torch import nn

from course_lib import datasets
from course_lib.architecture import Node, build, total
from course_lib.datasets import ImageData, Split
from course_lib.models import merge_model
from course_lib.models.creation import initialize
from course_lib.training import Recipe, evaluate, fit

HELD_OUT = 10  # one of so many training images is held out, to choose by
WATCHED = 500  # of those held out, where a run is only watched and nothing is chosen
SHAPE, CLASSES = (3, 32, 32), 10


def load_images(options: argparse.Namespace) -> tuple[ImageData, Split]:
    """The training images, of which a tenth is the `test` split, to choose by; and the real test images."""
    data = _data(options)
    return data.hold_out(len(data.train) // HELD_OUT), data.test


def load_few_images(options: argparse.Namespace, train: int | None) -> tuple[ImageData, Split]:
    """As `load_images`, with so many of the training images, or all, and `WATCHED` of those held out."""
    data, test = load_images(options)
    return data.subset(train=train, test=min(WATCHED, len(data.test))), test


def load_all_images(options: argparse.Namespace, train: int | None) -> tuple[ImageData, Split]:
    """So many of the training images, or all, none held out; `test` is `WATCHED` of these same ones, by which a run is
    watched. And the real test images."""
    data = _data(options)
    few = data.subset(train=train) if train and train < len(data.train) else data
    # Image folders are read class by class: the first ones would be of a single class.
    spread = torch.arange(0, len(few.train), max(1, len(few.train) // WATCHED))[:WATCHED]
    watched = few.train.take(spread)
    return replace(few, test=watched), data.test


def _data(options: argparse.Namespace) -> ImageData:
    return tiny_data() if options.tiny else datasets.load("image_folder", Path(options.data))


def tiny_data() -> ImageData:
    """Pictures drawn by chance, in the form of CIFAR-10: four to train and one to test in each class."""
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> Split:
        images = torch.randint(256, (count * CLASSES, *SHAPE), dtype=torch.uint8, generator=generator)
        return Split(images, torch.arange(CLASSES).repeat(count))

    return ImageData.from_splits("tiny", tuple(map(str, range(CLASSES))), split(4), split(1))


def describe_images(data: ImageData, test: Split, *, held_out: bool = True) -> str:
    """What a record says of its pictures."""
    if data.name == "tiny":
        return f"pictures drawn by chance: {len(data.train)} to train, {len(test)} to test"
    others = f"{len(data.test):,} others held out to choose by" if held_out else "none held out"
    return (
        "CIFAR-10 recompressed as JPEG, so that accuracies do not compare with published ones: "
        f"{len(data.train):,} images to train, {others}, {len(test):,} to test"
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


def train(model: nn.Module, data: ImageData, test: Split, recipe: Recipe, run: Run) -> Row:
    """Train as `fit` does, and judge on the test images, once, at the end.

    Returns:
        Training loss of the last epoch, loss and accuracy on the test images, and seconds of training, which count on
        over interruptions.

    Raises:
        DivergedError: as `fit`.
        SystemExit: the run was interrupted; the next one goes on from its checkpoints.
    """
    history = fit(model, data, recipe, checkpoints=run.checkpoints)
    if len(history) < recipe.epochs:
        raise SystemExit("Interrupted; the same command goes on from here.")
    result = evaluate(model, test, data)
    return {
        "train_loss": round(history["train_loss"].iloc[-1], 4),
        "test_accuracy": round(result.accuracy, 4),
        "test_loss": round(result.loss, 4),
        "seconds": round(history["seconds"].sum(), 1),
    }
