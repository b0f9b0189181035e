"""`predict`: what a trained network sees in images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .saved_models import load_saved_model
from .text import path

if TYPE_CHECKING:
    from torch import Tensor

    from course_lib.training.saved_model import SavedModel

SHOWN = 5


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Declares the sub-command."""
    parser = subparsers.add_parser(
        "predict",
        help="name what is in images",
        description=f"Print the {SHOWN} most probable classes of each image. Images are resized to what the network "
        "was trained on, and made grey for a network of grey images.",
        epilog="example: python -m course_lib predict cat.jpg dog.png --run runs/cifar",
    )
    parser.add_argument(
        "images", nargs="+", type=path, metavar="IMAGE", help="a PNG, JPEG, WebP, BMP, GIF or TIFF file"
    )
    parser.add_argument(
        "--run", dest="folder", type=path, required=True, metavar="RUN", help="the folder given to `train` as --out"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Prints the classes of each image."""
    import torch

    from course_lib.training import default_device, predict_logits

    saved = load_saved_model(arguments.folder)
    images = torch.stack([_read(image, saved) for image in arguments.images])
    logits = predict_logits(saved.network().to(default_device()), images, saved)
    for image, row in zip(arguments.images, logits, strict=True):
        if not row.isfinite().all():
            raise ValueError(f"the model in {arguments.folder} gives no finite numbers for {image}; train it again.")
    probabilities = logits.softmax(1)
    best = probabilities.topk(min(SHOWN, len(saved.classes)))
    for image, shares, labels in zip(arguments.images, best.values, best.indices, strict=True):
        print(image)
        for share, label in zip(shares.tolist(), labels.tolist(), strict=True):
            print(f"  {share:6.1%}  {saved.classes[label]}")


def _read(path: Path, saved: SavedModel) -> Tensor:
    """uint8, of the shape of the network's training images."""
    import torch
    from torchvision.transforms.functional import rgb_to_grayscale

    from course_lib.datasets.image_files import read_image

    image = torch.from_numpy(read_image(str(path), saved.image_shape[1:]))
    return rgb_to_grayscale(image) if saved.image_shape[0] == 1 else image
