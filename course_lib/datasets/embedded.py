"""The Fashion-MNIST images that come with the course, data/fashion_mnist (see its DATASHEET.md)."""

import hashlib
import io
from pathlib import Path

import numpy as np
import torch

from course_lib.data_files import data_folder, how_to_restore
from course_lib.datasets.errors import DatasetError
from course_lib.datasets.images import ImageData, Split

FOLDER = data_folder("fashion_mnist")
ARCHIVE_NAME = "fashion_mnist.npz"
CHECKSUM_NAME = "SHA256SUMS"


def load_embedded(folder: Path = FOLDER) -> ImageData:
    """Read the embedded images: 10,000 training and 2,000 test images of shape (1, 28, 28).

    Raises:
        DatasetError: a file is missing, or the archive's SHA-256 is not the recorded one.
    """
    content, recorded = _read(folder / ARCHIVE_NAME), _read(folder / CHECKSUM_NAME)
    # The bytes that were hashed are the bytes that are parsed, so nothing unchecked reaches numpy.
    if hashlib.sha256(content).hexdigest() != recorded[:64].decode("ascii", "replace"):
        raise DatasetError(
            f"{folder / ARCHIVE_NAME} is truncated or changed: its SHA-256 is not the one in {CHECKSUM_NAME}; "
            f"{how_to_restore(folder)}."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        train, test = (
            Split(
                torch.from_numpy(arrays[f"{split}_images"]).unsqueeze(1),
                torch.from_numpy(arrays[f"{split}_labels"]).long(),
            )
            for split in ("train", "test")
        )
        classes = tuple(str(name) for name in arrays["classes"])
    return ImageData.from_splits("fashion_mnist", classes, train, test)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"Cannot read {path}: {error.strerror}; {how_to_restore(path)}, or pass root= with the folder of the full "
            "data set."
        ) from error
