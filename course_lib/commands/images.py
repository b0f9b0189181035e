"""Arguments that choose images, and their errors as one sentence."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .text import option

if TYPE_CHECKING:
    from course_lib.datasets import ImageData
    from course_lib.training.saved_model import SavedModel

MODEL_FILE = "model.pt"


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """--data, --root, --image-size and --data-option."""
    parser.add_argument(
        "--data",
        default="fashion_mnist",
        metavar="NAME",
        help="fashion_mnist (the embedded images; all 70,000 with --root), cifar10, image_folder or voc_crops; default "
        "fashion_mnist",
    )
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="where the files of the data set lie")
    parser.add_argument(
        "--image-size", type=image_size, metavar="HxW", help="size to which image_folder and voc_crops resize"
    )
    parser.add_argument(
        "--data-option", action="append", type=option, default=[], metavar="NAME=VALUE",
        help="of voc_crops: difficult=True, truncated=False or skip_faulty=True; may be repeated",
    )  # fmt: skip


def load_data(arguments: argparse.Namespace) -> ImageData:
    """The data set that the arguments of `add_data_arguments` name."""
    from course_lib.datasets import load

    return load(arguments.data, arguments.root, image_size=arguments.image_size, **dict(arguments.data_option))


def load_run(folder: Path) -> SavedModel:
    """The model that `train` left in this folder."""
    from course_lib.training.saved_model import SavedModel

    path = folder / MODEL_FILE
    if not path.is_file():
        raise ValueError(f"{path} does not exist; name the folder given to `train` as --out, of a run that has ended.")
    return SavedModel.load(path)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Errors of data sets and of diverging runs as ValueErrors, which the command line prints as one sentence."""
    from course_lib.datasets import DatasetError
    from course_lib.training import DivergedError

    try:
        yield
    except (DatasetError, DivergedError) as error:
        raise ValueError(str(error)) from error


def image_size(text: str) -> tuple[int, int]:
    """ "96x128" as (96, 128), for an argument parser."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"an image size is HEIGHTxWIDTH, such as 96x128; got {text!r}")
    return int(match[1]), int(match[2])
