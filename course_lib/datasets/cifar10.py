"""CIFAR-10 (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"), from torchvision's files."""

from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10

from course_lib.datasets.download import read_or_download
from course_lib.datasets.errors import DatasetError
from course_lib.datasets.images import ImageData, Split


def load_cifar10(root: Path, download: bool = False) -> ImageData:
    """Read 50,000 training and 10,000 test images of shape (3, 32, 32) from `root`/cifar-10-batches-py.

    torchvision compares each file with its published MD5 before it is unpickled.

    Args:
        root: folder to look in, and to download to.
        download: fetch the files where they are missing or damaged.

    Raises:
        DatasetError: a file is missing or fails its checksum, or the download failed.
    """
    return read_or_download(_read, CIFAR10, root, download)


def _read(root: Path) -> ImageData:
    folder = root / CIFAR10.base_folder
    try:
        train, test = CIFAR10(root, train=True), CIFAR10(root, train=False)
    except (RuntimeError, OSError) as error:
        problem = "lacks a file, or one fails its checksum" if folder.is_dir() else "does not exist"
        raise DatasetError(
            f"{folder} {problem}; unpack {CIFAR10.filename} in {root}, or pass download=True."
        ) from error
    return ImageData.from_splits("cifar10", tuple(train.classes), _to_split(train), _to_split(test))


def _to_split(dataset: CIFAR10) -> Split:
    # torchvision's (N, H, W, C) is a view of the file's (N, C, H, W), so going back copies nothing.
    images = np.ascontiguousarray(dataset.data.transpose(0, 3, 1, 2))
    return Split(torch.from_numpy(images), torch.tensor(dataset.targets))
