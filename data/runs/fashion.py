"""What the recorded runs on the embedded Fashion-MNIST images share: the images, and a training that `fit` makes."""

from __future__ import annotations

import argparse

import torch
from recording import Row, Run

from course_lib import datasets
from course_lib.architecture import Node, build, total
from course_lib.datasets import ImageData
from course_lib.training import Recipe, fit

SHAPE = (1, 28, 28)
OUTCOMES = ("test_accuracy", "test_loss")


def fashion_images(options: argparse.Namespace) -> ImageData:
    """The embedded Fashion-MNIST images; a few of them in the tiny form."""
    data = datasets.load("fashion_mnist")
    return data.subset(train=40, test=20) if options.tiny else data


def describe_fashion(data: ImageData) -> str:
    """What a record says of its pictures."""
    return f"the embedded Fashion-MNIST images, {len(data.train):,} to train and {len(data.test):,} to test"


def sizes(value: Node) -> Row:
    """Parameters and multiply-accumulates for one image."""
    size = total(value, SHAPE)
    return {"params": size.params, "macs": size.macs}


def train(value: Node, data: ImageData, recipe: Recipe, run: Run, outcomes: tuple[str, ...] = OUTCOMES) -> Row:
    """Train a network once, its first weights by the recipe's seed.

    Returns:
        These outcomes of the last epoch, as `fit` names them.

    Raises:
        DivergedError: as `fit`.
    """
    torch.manual_seed(recipe.seed)
    last = fit(build(value, SHAPE[0]), data, recipe, progress=False, checkpoints=run.checkpoints).iloc[-1]
    return {name: round(last[name], 4) for name in outcomes}
