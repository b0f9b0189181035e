"""All 70,000 images of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747), from its four IDX files."""

from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import FashionMNIST

from course_lib.datasets.download import read_or_download
from course_lib.datasets.errors import DatasetError
from course_lib.datasets.idx import read_idx
from course_lib.datasets.images import ImageData, Split

CLASSES = tuple(FashionMNIST.classes)
_PREFIXES = {"train": "train", "test": "t10k"}


def load_fashion_mnist(root: Path, download: bool = False) -> ImageData:
    """Read the IDX files, plain or .gz, in `root`/FashionMNIST/raw (torchvision's place) or in `root` itself.

    Args:
        root: folder to look in, and to download to.
        download: fetch the files where they are missing or damaged.

    Raises:
        DatasetError: a file is missing or damaged, or the download failed.
    """
    return read_or_download(_read, FashionMNIST, root, download)


def read_split(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one split's images (uint8, shape (N, 28, 28)) and labels (uint8, shape (N,)).

    Args:
        folder: where the IDX files lie, plain or .gz.
        split: "train" or "test".

    Raises:
        DatasetError: a file is missing or damaged, or images and labels do not belong together.
    """
    images = read_idx(_idx_path(folder, f"{_PREFIXES[split]}-images-idx3-ubyte"))
    labels = read_idx(_idx_path(folder, f"{_PREFIXES[split]}-labels-idx1-ubyte"))
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise DatasetError(
            f"{folder}: {split} images of shape {images.shape} and labels of shape {labels.shape} do not belong "
            "together; replace the files by a fresh copy."
        )
    return images, labels


def _read(root: Path) -> ImageData:
    raw = root / "FashionMNIST" / "raw"
    folder = raw if raw.is_dir() else root
    train, test = (
        Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())
        for images, labels in (read_split(folder, split) for split in _PREFIXES)
    )
    return ImageData.from_splits("fashion_mnist", CLASSES, train, test)


def _idx_path(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DatasetError(
        f"{folder} has no file {name} or {name}.gz; copy Fashion-MNIST's four IDX files there, or pass download=True."
    )
