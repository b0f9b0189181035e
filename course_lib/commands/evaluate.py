"""`evaluate`: loss and accuracy of a trained network on test images."""

from __future__ import annotations

import argparse
import math

from .data_arguments import add_data_arguments, load_data
from .saved_models import load_saved_model
from .text import path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declares the sub-command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="judge a trained network on test images",
        description="Print the mean cross-entropy, in nats, and the accuracy of a trained network on the test images.",
        epilog="example: python -m course_lib evaluate runs/cifar --data cifar10 --root ~/data",
    )
    parser.add_argument("folder", type=path, metavar="RUN", help="the folder given to `train` as --out")
    add_data_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Prints loss and accuracy."""
    from course_lib.training import default_device, evaluate

    saved, data = load_saved_model(arguments.folder), load_data(arguments)
    if data.classes != saved.classes:
        raise ValueError(
            f"{arguments.folder} was trained on {len(saved.classes)} other classes than the {len(data.classes)} of "
            f"{data.name}; give the --data it was trained on."
        )
    model = saved.network().to(default_device())
    result = evaluate(model, data.test, saved)
    if not math.isfinite(result.loss):
        raise ValueError(f"the loss of {arguments.folder} on {data.name} is {result.loss}; train it again.")
    print(f"{saved.name} on {len(data.test):,} images: accuracy {result.accuracy:.2%}, loss {result.loss:.4f}")
