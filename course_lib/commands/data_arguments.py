"""Arguments that choose images, and the images they choose."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from .text import option, path

if TYPE_CHECKING:
    from course_lib.datasets import ImageData


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """--data, --root, --image-size and --data-option."""
    parser.add_argument(
        "--data",
        default="fashion_mnist",
        metavar="NAME",
        help="fashion_mnist (the embedded images; all 70,000 with --root), cifar10, image_folder or voc_crops; default "
        "fashion_mnist",
    )
    parser.add_argument("--root", type=path, metavar="FOLDER", help="where the files of the data set lie")
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


def image_size(text: str) -> tuple[int, int]:
    """ "96x128" as (96, 128), for an argument parser."""
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"an image size is HEIGHTxWIDTH, such as 96x128; got {text!r}")
    return int(match[1]), int(match[2])
